# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.formats import MedicalImageReader
from medad.transforms import LoadImageFiled
from monai.data import NibabelReader


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(path))


def array(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6), (4, 5, 6, 2), (4, 5, 1)])
def test_nifti_agrees_with_monai(nifti, shape):
    affine = np.asarray([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1]])
    path = nifti("a.nii.gz", array(*shape, dtype=np.uint8), affine)
    expected, meta = (lambda reader: reader.get_data(reader.read(path)))(NibabelReader())
    found, found_meta = load(path)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found_meta["affine"], meta["affine"])
    np.testing.assert_array_equal(found_meta["spatial_shape"], meta["spatial_shape"])


def test_nifti_vector_image_has_channels(nifti):
    pixels = array(3, 4, 5, 1, 2, dtype=np.uint8)
    image = LoadImageFiled("image")({"image": nifti("v.nii", pixels)})["image"]
    np.testing.assert_array_equal(image.numpy(), pixels[:, :, :, 0].transpose(3, 0, 1, 2))


def test_float64_becomes_float32_channel_first(nifti):
    image = LoadImageFiled("image")({"image": nifti("a.nii", np.full((3, 4, 5), 0.1))})["image"]
    assert image.dtype == torch.float32
    assert image.shape == (1, 3, 4, 5)
    assert image.meta["filename_or_obj"].endswith("a.nii")


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5)])
def test_colors_are_channels(nifti, shape):
    pixels = array(*shape, 3, dtype=np.uint8)
    records = pixels.copy().view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    image = LoadImageFiled("image")({"image": nifti("rgb.nii.gz", records)})["image"]
    np.testing.assert_array_equal(image.numpy(), np.moveaxis(pixels, -1, 0))
