# SPDX-License-Identifier: Apache-2.0
"""Letters: on a margin of their own, one at each edge."""

import numpy as np
import pytest
from medad.report.letters import LETTER_COLOR, add_letters, margin_of


@pytest.mark.parametrize("size", [96, 192, 400])
@pytest.mark.parametrize("shape", [(40, 60), (1, 50), (50, 1), (1, 1)])
def test_the_picture_stays_and_four_letters_surround_it(size: int, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 77, np.uint8)
    margin = margin_of(size)
    framed = add_letters(picture, ("R", "L", "A", "P"), margin)
    assert framed.shape == (shape[0] + 2 * margin, shape[1] + 2 * margin, 3)
    inside = framed[margin:-margin, margin:-margin]
    if min(shape) >= 40:
        np.testing.assert_array_equal(inside, picture)
    for edge in (framed[:, :margin], framed[:, -margin:], framed[:margin], framed[-margin:]):
        assert edge.max() > 0.5 * max(LETTER_COLOR)


def test_letters_differ_and_stand_where_they_belong() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    framed, swapped = (add_letters(picture, (*letters, "A", "P"), 12) for letters in ("RL", "LR"))
    changed = (framed != swapped).any(-1)
    assert changed[:, :12].any() and changed[:, -12:].any() and not changed[:, 12:-12].any()
    rows, _ = changed.nonzero()
    assert abs(rows.mean() - 41.5) < 4


@pytest.mark.parametrize("size", [128, 192, 400])
def test_the_i_of_the_feet_is_no_bar(size: int) -> None:
    margin = margin_of(size)
    framed = add_letters(np.zeros((60, 60, 3), np.uint8), ("R", "L", "S", "I"), margin)
    letter = framed[-margin:].max(-1) > 0.4 * max(LETTER_COLOR)
    widths = [row.sum() for row in letter if row.any()]
    assert min(widths[0], widths[-1]) >= 1.5 * widths[len(widths) // 2]


def test_a_tiny_picture_has_no_room() -> None:
    assert margin_of(95) == 0 and margin_of(192) == 12
    picture = np.ones((8, 8, 3), np.uint8)
    np.testing.assert_array_equal(add_letters(picture, ("R", "L", "A", "P"), 0), picture)
