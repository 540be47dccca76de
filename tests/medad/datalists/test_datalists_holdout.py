# SPDX-License-Identifier: Apache-2.0
import json
import logging

import pytest
from medad.datalists import hold_out_subjects, load_datalist
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


def test_held_out_subjects(tmp_path):
    training = [{"image": f"{s}_{i}.png", "subject_id": f"s{s}"} for s in range(10) for i in range(3)]
    root = write_datalist(tmp_path, training=training, training_abnormal=[{"image": "x.png", "subject_id": "s3"}])
    with pytest.raises(InputError, match=r"split calibration is missing.*holdout_fraction"):
        load_datalist(root, "calibration")
    parts = {
        split: {item["subject_id"] for item in load_datalist(root, split, holdout_fraction=0.25)}
        for split in ("training", "validation", "calibration")
    }
    assert parts["validation"] == parts["calibration"]
    assert len(parts["validation"]) == 3  # the ceiling of 2.5
    assert parts["training"] | parts["validation"] == {f"s{s}" for s in range(10)}
    assert not parts["training"] & parts["validation"]
    draws = {
        tuple(
            sorted({item["subject_id"] for item in load_datalist(root, "validation", holdout_fraction=0.25, seed=seed)})
        )
        for seed in range(5)
    }
    assert len(draws) > 1
    assert all(item["label"] == 0 for item in load_datalist(root, "calibration", holdout_fraction=0.9))
    everyone = load_datalist(root, "validation", holdout_fraction=0.9)
    assert len(everyone) == 9 * 3 + ("s3" in {item["subject_id"] for item in everyone})


def test_holdout_leaves_own_validation_alone(touch, caplog):
    root = touch("train/normal/a.png", "train/normal/b.png", "validation/normal/c.png")
    with caplog.at_level(logging.INFO, "medad"):
        assert len(load_datalist(root, "training", holdout_fraction=0.5)) == 2
    assert "not used" in caplog.text


def test_bad_holdout():
    with pytest.raises(ValueError, match="holdout_fraction"):
        hold_out_subjects({"training": []}, 1.5)
    with pytest.raises(InputError, match="1 training subjects"):
        hold_out_subjects({"training": [{"image": "a", "subject_id": "a"}]}, 0.5)


def test_someone_is_left_to_train_on():
    splits = {"training": [{"image": f"{s}.png", "subject_id": s} for s in "ab"]}
    held = hold_out_subjects(splits, 0.99)
    assert len(held["training"]) == len(held["validation"]) == 1
