# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
import torch
from medad.transforms import CheckImaged, LoadImageFiled, collapse_equal_colors
from medad.transforms.colors import gray_of_similar_colors
from monai.data import MetaTensor
from monai.transforms import Compose
from PIL import Image
from scipy import ndimage


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


def jpeg(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    return str(tmp_path / "a.jpg")


def test_color_noise_of_jpeg_is_gray_again(tmp_path, caplog):
    load = Compose([LoadImageFiled("image"), CheckImaged("image", 1, 2)])
    luma = ndimage.gaussian_filter(gray(64, 48).astype(float), 3)
    luma = ((luma - luma.min()) / np.ptp(luma) * 255).astype(np.uint8)
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(0, 40, (*luma.shape, 3)), (4, 4, 0))
    path = jpeg(tmp_path, (luma[..., None] + noise).clip(0, 255).astype(np.uint8))
    stored = np.asarray(Image.open(path))
    assert not np.array_equal(stored[..., 0], stored[..., 1])
    with caplog.at_level(logging.INFO):
        found = [load({"image": path})["image"] for _ in range(3)]
    np.testing.assert_allclose(found[0][0].numpy().T, np.asarray(Image.open(path).convert("L")), atol=1)
    assert caplog.text.count("nearly gray") == 1 and "a.jpg" in caplog.text


@pytest.mark.parametrize("unit", [1.0, 257.0, 1 / 255])
@pytest.mark.parametrize("spatial", [(40, 30), (20, 10, 8)])
def test_a_colored_mark_is_gray_and_a_color_picture_is_not(unit, spatial):
    image = tensor(np.stack([gray(*spatial)] * 3)) * unit
    marked = image.clone()
    marked[0, :3], marked[1:, :3] = 255 * unit, 0  # 7.5 or 15 %
    share = 3 / spatial[0]
    found = gray_of_similar_colors(marked)
    assert (found is None) == (share > 0.1)
    if found is not None:
        np.testing.assert_allclose(found[:, 3:], image[:1, 3:], rtol=1e-5, atol=1e-3 * unit)
        np.testing.assert_allclose(found[:, :3], 0.299 * 255 * unit, rtol=1e-5)
    pale = image.clone()
    pale[2] *= 0.8
    assert gray_of_similar_colors(pale) is None
    black = image * 0
    black[..., :4] = pale[..., :4]  # what is black says nothing about colors
    assert gray_of_similar_colors(black) is None


def test_what_has_no_three_colors_or_a_hole_is_no_gray():
    image = tensor(np.stack([gray(4, 5)] * 3))
    assert gray_of_similar_colors(image[:2]) is None
    assert gray_of_similar_colors(torch.cat([image, image[:1]])) is None
    assert gray_of_similar_colors(torch.cat([image, 0 * image[:1] + 255])).shape == (1, 4, 5)


@pytest.mark.real_data
def test_a_data_set_of_jpeg_files_with_color_noise_and_banners(real_data):
    load = Compose([LoadImageFiled("image"), CheckImaged("image", 1, 2)])
    for name in ("Te-no_0271", "Tr-no_0883", "Tr-no_0627", "Te-no_0118"):
        assert load({"image": real_data / "brain_tumor" / "images" / f"{name}.jpg"})["image"].shape[0] == 1
