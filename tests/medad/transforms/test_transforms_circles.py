# SPDX-License-Identifier: Apache-2.0
"""Lesions as circles: read, checked against the image, drawn; and the table that usually lists them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from medad.datalists import class_weights, drop_misplaced_circles, items_with_marked_lesions, load_datalist
from medad.errors import InputError
from medad.transforms import DrawCirclesd
from monai.data import MetaTensor

FILM = np.zeros((40, 30), dtype=np.uint8)
FILM[5:35, :20] = 100


def test_circles_are_drawn_unless_there_is_a_mask() -> None:
    image = MetaTensor(torch.rand(1, 12, 10), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])))
    item = {"image": image, "circles": [[4, 5, 2], [9.4, 1.6, 0]]}
    mask = DrawCirclesd()(item)["mask"]
    x, y = torch.meshgrid(torch.arange(12), torch.arange(10), indexing="ij")
    expected = (x - 4).square() + (y - 5).square() <= 4
    expected[9, 2] = True  # a point marks the pixel next to it
    assert torch.equal(mask.as_tensor()[0] > 0, expected) and torch.equal(mask.affine, image.affine)
    given = torch.zeros(1, 12, 10)
    assert DrawCirclesd()({**item, "mask": given})["mask"] is given
    assert "mask" not in DrawCirclesd()({"image": image})


def test_balls_are_drawn() -> None:
    mask = DrawCirclesd()({"image": torch.rand(1, 9, 9, 9), "circles": [[4, 4, 4, 1]]})["mask"]
    assert int(mask.sum()) == 7


def test_circles_of_other_axes_are_refused() -> None:
    with pytest.raises(InputError, match=r"^c: circles \[\[4, 4, 1\]\].*x, y, z, radius"):
        DrawCirclesd()({"image": torch.rand(1, 9, 9, 9), "circles": [[4, 4, 1]], "case": "c"})


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


MANIFEST = """file,split,label,tissue,cx,cy_from_top,radius,note
a.png,train,0,G,,,,
b.png,train,1,G,10,20,5,"a, b"
b.png,train,1,G,12,25,,
c.png,train,1,G,,,,widespread
d.png,val,0,G,,,,
e.png,test,1,G,25,2,3,known to be bad
f.png,test,0,G,,,,
"""


def test_manifest(png: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "abcdef":
        png(f"{name}.png", FILM)
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    training = load_datalist(tmp_path, "training") + load_datalist(tmp_path, "training_abnormal")
    assert [item["case"] for item in training] == ["a", "b", "c"]
    assert training[1]["circles"] == [[10.0, 20.0, 5.0], [12.0, 25.0, 0.0]]
    marked = items_with_marked_lesions(training)
    assert [item["case"] for item in marked] == ["a", "b"] and class_weights(marked) == [1.0, 1.0]
    assert "1 abnormal images without a mask or circles are left out: c" in caplog.text
    test = load_datalist(tmp_path, "test")
    assert [(item["label"], "circles" in item) for item in test] == [(1, False), (0, False)]
    assert "in 1 images: e" in caplog.text
    assert [item["case"] for item in load_datalist(tmp_path, "calibration")] == ["d"]


@pytest.mark.parametrize(
    "rows, found",
    [
        ("a.png,test,2,,,", "line 2: label '2'"),
        ("a.png,tset,0,,,", "line 2: split 'tset'"),
        (",test,0,,,", "line 2: no file"),
        ("a.png,test,1,3,x,1", "line 2: a center and radius of '3', 'x', '1'"),
        ("a.png,test,1,3,,1", "line 2: a center and radius of '3', '', '1'"),
        ("a.png,test,0,,,\n./a.png,test,1,1,1,1", "line 3 contradicts an earlier row of ./a.png"),
    ],
)
def test_bad_manifests(rows: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"file,split,label,cx,cy,radius\n{rows}\n")
    with pytest.raises(InputError) as caught:
        load_datalist(tmp_path, "test")
    assert found in str(caught.value) and "Correct the table." in str(caught.value)


def test_another_manifest_is_none_of_ours(png: Callable[..., str], tmp_path: Path) -> None:
    png("a.png", FILM)
    (tmp_path / "manifest.csv").write_text("filename;size\na.png;3\n")
    assert [item["case"] for item in load_datalist(tmp_path, "inference")] == ["a"]


def test_circles_in_a_normal_image_are_refused(png: Callable[..., str], tmp_path: Path) -> None:
    png("a.png", FILM)
    (tmp_path / "manifest.csv").write_text("file,label,cx,cy,radius\na.png,0,10,20,3\n")
    with pytest.raises(InputError, match="circles in the normal image"):
        load_datalist(tmp_path, "test")


def test_the_mammograms(real_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The two circles that are known to be wrong are found by where they lie; three films have none."""
    test = load_datalist(real_data / "mias", "test")
    abnormal = [item for item in test if item["label"]]
    assert len(test) == 45 and len(abnormal) == 25 and sum("circles" in item for item in abnormal) == 20
    assert "circles that lie on the background are left out, in 2 images: mdb212, mdb214" in caplog.text
