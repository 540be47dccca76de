# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.predict.arrays import AxisOrder
from medad.predict.inputs import axis_order_of_file, item_of_image
from medad.transforms import case_preprocessing


def test_a_2d_nifti_file_is_no_picture() -> None:
    assert axis_order_of_file("slice.nii.gz", torch.zeros(1, 4, 5)) == AxisOrder(picture=False)
    assert axis_order_of_file(["a.png", "b.png"], torch.zeros(2, 4, 5)) == AxisOrder(picture=True, channel_axis=-1)


@pytest.mark.parametrize("image", [3, None, [], ["a.png", 3], [np.zeros((4, 4)), np.zeros((4, 4))]])
def test_what_is_no_path(image: Any) -> None:
    with pytest.raises(InputError, match="Expected a path"):
        item_of_image(image)


def test_paths_become_items(tmp_path: Path) -> None:
    assert item_of_image(tmp_path / "a.nii.gz") == ({"image": str(tmp_path / "a.nii.gz"), "case": "a"}, None)
    assert item_of_image(["t1.nii", "t2.nii"])[0] == {"image": ["t1.nii", "t2.nii"], "case": "t1"}
    with pytest.raises(InputError, match="with a file"):
        item_of_image("a.png", channel_axis=0)


@pytest.mark.parametrize("pixdim", [(2.0, 2.0, 3.0), (1.0, 1.0, 1.0)])
def test_a_file_and_its_array_with_its_affine_are_one_image(tmp_path: Path, pixdim: tuple[float, ...]) -> None:
    affine = np.array([[0, 2.0, 0, 4], [-2, 0, 0, 5], [0, 0, -3, 6], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(np.random.default_rng(0).random((9, 8, 7)).astype(np.float32), affine)
    image.header["pixdim"][1:4] = pixdim  # beside a valid sform
    nibabel.save(image, tmp_path / "a.nii")
    loaded = nibabel.load(tmp_path / "a.nii")
    preprocessing = case_preprocessing(1, 2, [])
    ours = preprocessing(item_of_image(tmp_path / "a.nii")[0])["image"]  # type: ignore[index, call-overload]
    theirs = preprocessing(item_of_image(loaded.get_fdata(), affine=loaded.affine)[0])["image"]  # type: ignore[index, call-overload]
    assert torch.equal(ours.as_tensor(), theirs.as_tensor())
    assert torch.equal(ours.affine, theirs.affine) and ours.pixdim.tolist() == [2, 2, 3]
