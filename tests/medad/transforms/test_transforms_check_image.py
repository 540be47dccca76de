# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.transforms import CheckImaged
from monai.data import MetaTensor


def gray(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def tensor(array, name="a.png"):
    return MetaTensor(torch.as_tensor(np.asarray(array), dtype=torch.float32), meta={"filename_or_obj": name})


@pytest.mark.parametrize(("shape", "dims"), [((1, 4, 5), 2), ((1, 4, 5, 6), 2), ((1, 4, 5, 6), 3), ((1, 4, 5, 1), 3)])
def test_good_images_pass_unchanged(shape, dims):
    image = tensor(gray(*shape))
    found = CheckImaged("image", 1, dims)({"image": image, "other": 1})
    assert found["other"] == 1
    assert torch.equal(found["image"], image)
    assert found["image"].meta == image.meta


def with_value(value):
    image = gray(1, 4, 5).astype(np.float32)
    image[0, 1, 1] = value
    return image


BAD_IMAGES = [
    (with_value(np.nan), 1, 2, "1 NaN or infinite values"),
    (with_value(np.inf), 1, 2, "1 NaN or infinite values"),
    (np.full((1, 4, 5), 7.0), 1, 2, r"constant image \(all values are 7\)"),
    (np.zeros((1, 0, 5)), 1, 2, "empty image"),
    (gray(3, 4, 5), 1, 2, "3 channels found"),
    (gray(1, 4, 5), 3, 2, "1 channels found"),
    (gray(1, 4, 5), 1, 3, "2 spatial axes found"),
    (gray(4, 4, 5, 6), 1, 3, "4 channels found"),
    (gray(1, 4), 1, 2, "1 spatial axes found"),
    (gray(1, 2, 2, 2, 2), 1, 3, "4 spatial axes found"),
]


@pytest.mark.parametrize(("image", "channels", "dims", "message"), BAD_IMAGES)
def test_bad_images(image, channels, dims, message):
    with pytest.raises(InputError, match=message) as caught:
        CheckImaged("image", channels, dims)({"image": tensor(image, "bad.png")})
    assert caught.value.where == "bad.png"


def test_image_without_metadata_is_named_by_its_key():
    with pytest.raises(InputError, match="entry 'image'"):
        CheckImaged("image", 1, 2)({"image": torch.zeros(1, 3, 3)})


def test_bad_arguments():
    with pytest.raises(ValueError, match="spatial_dims"):
        CheckImaged("image", 1, 4)
    with pytest.raises(ValueError, match="channels"):
        CheckImaged("image", 0, 2)
