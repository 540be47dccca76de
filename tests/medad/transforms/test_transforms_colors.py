# SPDX-License-Identifier: Apache-2.0
import numpy as np
import torch
from medad.transforms import CheckImaged, collapse_equal_colors
from monai.data import MetaTensor


def gray(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def tensor(array, name="a.png"):
    return MetaTensor(torch.as_tensor(np.asarray(array), dtype=torch.float32), meta={"filename_or_obj": name})


def test_gray_saved_as_color_becomes_one_channel():
    image = gray(1, 4, 5)
    alpha = np.full_like(image, 255)
    for channels in ([image] * 3, [image] * 3 + [alpha], [image, alpha]):
        found = CheckImaged("image", 1, 2)({"image": tensor(np.concatenate(channels))})["image"]
        np.testing.assert_array_equal(found.numpy(), image)
    colors = gray(3, 4, 5)
    rgba = np.concatenate([colors, alpha])
    np.testing.assert_array_equal(CheckImaged("image", 3, 2)({"image": tensor(rgba)})["image"].numpy(), colors)


def test_varying_alpha_or_color_is_not_dropped():
    for image in (
        gray(3, 4, 5),
        np.concatenate([gray(1, 4, 5), gray(2, 4, 5)[1:]]),
        np.concatenate([gray(1, 4, 5)] * 5),
    ):
        assert collapse_equal_colors(tensor(image), 1).shape == image.shape
