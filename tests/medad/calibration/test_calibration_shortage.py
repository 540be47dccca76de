# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.calibration import CalibrationBuilder, few_images, rough_threshold


@pytest.mark.parametrize(
    ("images", "subjects", "said"),
    [
        (19, 19, None),
        (18, 18, "18 normal images: too few"),
        (40, 6, "of only 6 subjects"),
        (0, 0, "0 normal images"),
    ],
)
def test_decisions_need_images_of_several_subjects(images: int, subjects: int, said: str | None) -> None:
    note = few_images(images, subjects, 0.05)
    assert note is None if said is None else note is not None and said in note and "19" in note


def test_one_subject_tells_nothing_of_the_masks_of_others() -> None:
    builder = CalibrationBuilder({"a": 3})
    for i in range(3):
        builder.update(float(i), torch.rand(1, 32, 32), None, "a")
    calibration = builder.build("d" * 64, "w" * 64)
    assert str(rough_threshold(calibration, 0.01)).startswith("The voxel threshold is made from one subject")
    assert rough_threshold(calibration, 1e-5) is None  # there is no threshold to speak of
