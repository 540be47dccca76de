# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from medad.datalists import load_datalist
from medad.errors import InputError


def write_datalist(folder, **splits):
    """Write datalist.json and all files it names."""
    for item in (item for items in splits.values() for item in items):
        for path in [item["image"]] if isinstance(item["image"], str) else item["image"]:
            (folder / path).touch()
    (folder / "datalist.json").write_text(json.dumps({"name": "x", "labels": {"0": "normal"}, **splits}))
    return folder


BAD_DATALISTS = [
    ({"training": [{"image": "a.png", "label": 1}]}, "abnormal image .*a.png among the training normals"),
    ({"training_abnormal": [{"image": "a.png", "label": 0}]}, "normal image .*a.png in training_abnormal"),
    ({"training": [{"image": "a.png", "label": 2}]}, "label 2"),
    ({"training": [{"image": "a.png"}], "test": [{"image": "a.png"}]}, "occurs twice, in training and in test"),
    (
        {"training": [{"image": "a.png", "subject_id": "p"}], "test": [{"image": "b.png", "subject_id": "p"}]},
        "subject 'p' is in training and in test",
    ),
    (
        {
            "training_abnormal": [{"image": "a.png", "subject_id": 1}],
            "validation": [{"image": "b.png", "subject_id": "1"}],
        },
        "subject '1' is in training and in validation",
    ),
    ({"training": []}, "no image found"),
    ({"val": [{"image": "a.png"}]}, "unknown name 'val'"),
    ({"test": [{"image": "a.png", "case": "x"}, {"image": "b.png", "case": "x"}]}, "case 'x' occurs 2 times"),
    ({"test": [{"image": "a.png"}]}, "the split training is missing or has no images; there are images in test"),
]


@pytest.mark.parametrize(("splits", "message"), BAD_DATALISTS)
def test_bad_datalists(tmp_path, splits, message):
    with pytest.raises(InputError, match=message):
        load_datalist(write_datalist(tmp_path, **splits), "training")


def test_training_and_training_abnormal_may_share_subjects(tmp_path):
    root = write_datalist(
        tmp_path,
        training=[{"image": "a.png", "subject_id": "p"}],
        training_abnormal=[{"image": "b.png", "subject_id": "p"}],
    )
    assert len(load_datalist(root, "training")) == 1


@pytest.mark.parametrize("key", ["image", "mask", "foreground"])
def test_missing_file_is_named(tmp_path, key):
    root = write_datalist(tmp_path, test=[{"image": "a.png", "label": 1}])
    rows = [{"image": "a.png", "label": 1, **{key: "gone.png"}}]
    (root / "datalist.json").write_text(json.dumps({"test": rows}))
    with pytest.raises(InputError, match=r"gone\.png does not exist"):
        load_datalist(root, "test")
