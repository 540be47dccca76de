# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.transforms import CheckImaged, LoadImageFiled
from monai.data import MetaTensor


def gray(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.float64])
def test_an_image_handed_over_by_a_program_becomes_as_if_loaded(nifti, dtype):
    """MONAI Deploy takes the loading away and gives ``(x, y, z)`` as stored; its metadata know the spatial shape."""
    volume = gray(4, 5, 6)
    loaded = LoadImageFiled("image")({"image": nifti("a.nii", volume)})["image"]
    given = MetaTensor(torch.as_tensor(volume).to(dtype), meta={**loaded.meta, "original_channel_dim": "no_channel"})
    check = CheckImaged("image", 1, 3)
    found, expected = (check({"image": image})["image"] for image in (given, loaded))
    assert found.dtype == expected.dtype == torch.float32
    assert found.shape == expected.shape == (1, 4, 5, 6)
    assert torch.equal(found, expected)
    assert torch.equal(found.affine, expected.affine)
