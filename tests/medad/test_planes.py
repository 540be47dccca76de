# SPDX-License-Identifier: Apache-2.0
import nibabel
import pytest
from medad.planes import PLANE_AXES, axis_across


@pytest.mark.parametrize(("plane", "across"), [("sagittal", "LR"), ("coronal", "PA"), ("axial", "IS")])
def test_a_picture_of_a_plane_has_its_slices_across_it(plane: str, across: str) -> None:
    axes = PLANE_AXES[axis_across(plane)]
    assert axes[2] in across and not set(axes[:2]) & set(across)
    directions = nibabel.orientations.axcodes2ornt(tuple(axes))
    assert int(directions[2, 0]) == axis_across(plane)
    assert all(letter in "LPI" for letter in axes[:2])  # to the patient's left, to the back, downwards: as seen


def test_other_words_are_no_planes() -> None:
    with pytest.raises(ValueError, match="got 'Axial'"):
        axis_across("Axial")
