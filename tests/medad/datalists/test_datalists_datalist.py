# SPDX-License-Identifier: Apache-2.0
"""Data sets: each layout, the splits, and every way in which a data set can be wrong."""

import json
import logging

import pytest
from medad.datalists import known_layouts, load_datalist
from medad.errors import InputError


@pytest.fixture
def touch(tmp_path):
    """Create empty files: layouts look at names only."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def write_datalist(folder, **splits):
    """Write datalist.json and all files it names."""
    for item in (item for items in splits.values() for item in items):
        for path in [item["image"]] if isinstance(item["image"], str) else item["image"]:
            (folder / path).touch()
    (folder / "datalist.json").write_text(json.dumps({"name": "x", "labels": {"0": "normal"}, **splits}))
    return folder


def test_calibration_split_wins_over_validation(touch):
    root = touch("train/normal/a.png", "validation/normal/b.png", "calibration/normal/c.png", "calibration/bad/d.png")
    assert [item["case"] for item in load_datalist(root, "calibration")] == ["c"]
    assert [item["case"] for item in load_datalist(root, "validation")] == ["b"]


def test_relative_path_and_log(touch, monkeypatch, caplog):
    root = touch("d/train/normal/a.png", "d/test/normal/b.png", "d/test/bad/c.png")
    monkeypatch.chdir(root)
    with caplog.at_level(logging.INFO, "medad"):
        items = load_datalist("d", "test", normals_only=True)
    assert [item["image"] for item in items] == [str(root / "d/test/normal/b.png")]
    assert "layout folders" in caplog.text
    assert "test 2 (1 normal, 1 abnormal, 2 subjects)" in caplog.text


def test_unlabeled_validation_cannot_calibrate(tmp_path):
    root = write_datalist(tmp_path, validation=[{"image": "a.png"}])
    with pytest.raises(InputError, match="case 'a' has no label"):
        load_datalist(root, "calibration")


def test_only_abnormal_validation_cannot_calibrate(tmp_path):
    root = write_datalist(tmp_path, training=[{"image": "b.png"}], validation=[{"image": "a.png", "label": 1}])
    with pytest.raises(InputError, match="no normal images"):
        load_datalist(root, "calibration")


def test_unknown_things(touch):
    root = touch("notes.txt")
    with pytest.raises(InputError, match="no known layout") as caught:
        load_datalist(root, "inference")
    assert all(layout.name in caught.value.expected for layout in known_layouts())
    with pytest.raises(InputError, match="does not exist"):
        load_datalist(root / "nowhere", "inference")
    with pytest.raises(InputError, match="unknown split 'train'"):
        load_datalist(root, "train")
    with pytest.raises(InputError, match="unknown layout 'coco'"):
        load_datalist(root, "inference", layout="coco")
    with pytest.raises(InputError, match="does not have the layout mvtec"):
        load_datalist(root, "inference", layout="mvtec")
