# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from medad.datalists import class_weights, items_with_marked_lesions, load_datalist
from medad.errors import InputError

FILM = np.zeros((40, 30), dtype=np.uint8)
FILM[5:35, :20] = 100
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
    for number, name in enumerate("abcdef"):
        png(f"{name}.png", FILM // (number + 1))
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
