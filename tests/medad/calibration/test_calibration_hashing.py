# SPDX-License-Identifier: Apache-2.0
from medad.calibration import data_hash


def test_data_hash() -> None:
    items = [
        {"image": "/data/a.nii.gz", "case": "a", "subject_id": "1", "label": 0},
        {"image": ["b/t1.nii.gz", "b/t2.nii.gz"], "case": "b", "subject_id": "2"},
    ]
    expected = data_hash(items)
    assert data_hash(reversed(items)) == expected
    assert data_hash([{**items[0], "image": "elsewhere/a.nii.gz"}, items[1]]) == expected
    assert data_hash(items[:1]) != expected
    assert data_hash([{**items[0], "subject_id": "3"}, items[1]]) != expected
    assert data_hash([{**items[0], "image": "/data/c.nii.gz"}, items[1]]) != expected
