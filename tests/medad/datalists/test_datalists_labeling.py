# SPDX-License-Identifier: Apache-2.0
import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
from medad.datalists.labeling import items_of_labeling
from medad.errors import InputError
from medad.loading import CaseDataset, training_dataset


def _write(path: Path, marked: int = 0) -> str:
    array = np.zeros((4, 4, 3), dtype=np.uint8)
    array.flat[:marked] = 1
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    return str(path)


def test_marked_cases_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed = []
    for name, marked in (("a", 0), ("b", 1), ("c", 0)):
        (tmp_path / "final").mkdir(exist_ok=True)
        label = _write(tmp_path / "final" / f"{name}.nii.gz", marked)
        listed.append({"image": _write(tmp_path / f"{name}.nii.gz"), "label": label})
    with caplog.at_level(logging.INFO):
        items = items_of_labeling(listed)
    image = str(tmp_path / "a.nii.gz")
    assert items[0] == {"image": image, "label": 0, "case": "a", "source_file": "a.nii.gz", "subject_id": "a"}
    assert [item["case"] for item in items] == ["a", "c"] and "1 of 3 cases are left out" in caplog.text
    assert CaseDataset(listed, dict).data == items
    assert len(training_dataset(listed, dict, progress=False)) == 2
    both = items_of_labeling(listed, both_classes=True)
    assert [(item["case"], item["label"]) for item in both] == [("a", 0), ("b", 1), ("c", 0)]
    assert [item["mask"] for item in both] == [item["label"] for item in listed]
    assert len(training_dataset(listed, dict, progress=False, both_classes=True)) == 3
    with pytest.raises(InputError, match=r"something is marked in all 1 cases.*empty mask as the final label"):
        items_of_labeling(listed[1:2])
    (tmp_path / "final" / "a.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match="the mask cannot be read"):
        items_of_labeling(listed)


def test_items_of_a_data_list_pass() -> None:
    items = [{"image": "a.png", "label": 1, "case": "a"}, {"image": "b.png"}]
    assert items_of_labeling(items) == items and items_of_labeling([]) == []


@pytest.mark.parametrize("labels", [(0, 0), (1, 1), (0, None)])
def test_a_method_that_learns_from_both_classes_names_the_missing_one(labels: tuple[int | None, ...]) -> None:
    items = [{"image": f"{number}.png", "label": label} for number, label in enumerate(labels)]
    with pytest.raises(
        InputError, match=rf"{labels.count(0)} normal and {labels.count(1)} abnormal.*training_abnormal"
    ):
        training_dataset(items, dict, progress=False, both_classes=True)
    assert len(training_dataset(items, dict, progress=False)) == 2
