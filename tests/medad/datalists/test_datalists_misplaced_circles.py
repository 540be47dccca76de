# SPDX-License-Identifier: Apache-2.0
import logging
from collections.abc import Callable

import numpy as np
import pytest
from medad.datalists import drop_misplaced_circles

FILM = np.zeros((40, 30), dtype=np.uint8)
FILM[5:35, :20] = 100


def test_circles_on_the_background_are_left_out(png: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    path = png("film.png", FILM)
    circles = {"good": [[10, 20, 5]], "bad": [[25, 2, 3]], "off": [[35, 20, 3]], "both": [[25, 2, 3], [19, 34, 9]]}
    items = [{"image": path, "case": case, "circles": rows} for case, rows in circles.items()]
    with caplog.at_level(logging.WARNING):
        found = drop_misplaced_circles([*items, {"image": "not read", "case": "none"}])
    assert [item.get("circles") for item in found] == [[[10, 20, 5]], None, None, [[19, 34, 9]], None]
    assert "in 3 images: bad, off, both" in caplog.text


def test_the_foreground_of_the_data_list_decides(png: Callable[..., str]) -> None:
    foreground = np.zeros_like(FILM)
    foreground[:5] = 255
    item = {"image": png("f.png", FILM), "foreground": png("m.png", foreground), "case": "c", "circles": [[25, 2, 3]]}
    assert drop_misplaced_circles([item])[0]["circles"] == [[25, 2, 3]]
