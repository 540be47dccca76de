# SPDX-License-Identifier: Apache-2.0
import pickle
import time
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.transforms.foreground import ForegroundMaskd, foreground_mask
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, Orientationd, Resized
from scipy import ndimage


def ball(shape: tuple[int, ...], radius: float, center: tuple[float, ...] | None = None) -> torch.Tensor:
    center = center or tuple((n - 1) / 2 for n in shape)
    axes = torch.meshgrid(*[torch.arange(n) - c for n, c in zip(shape, center, strict=True)], indexing="ij")
    return sum((axis**2 for axis in axes), torch.zeros(shape)) <= radius**2


@pytest.mark.parametrize("shape", [(40, 32), (28, 24, 20)])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (300.0, -1000.0)])
def test_finds_the_object_whatever_the_intensity_scale(shape: tuple[int, ...], scale: float, offset: float) -> None:
    truth = ball(shape, 8)
    image = truth * (0.6 + 0.4 * torch.rand(shape)) + 0.02 * torch.rand(shape)
    mask = foreground_mask((image * scale + offset)[None], len(shape))
    assert mask.dtype == torch.bool
    assert torch.equal(mask, truth[None])


@pytest.mark.parametrize("shape", [(40, 40), (30, 30, 30)])
def test_fills_holes_and_drops_specks(shape: tuple[int, ...]) -> None:
    truth = ball(shape, 12)
    image = truth.float()
    image[ball(shape, 4)] = 0.0  # a dark ventricle
    image[(2,) * len(shape)] = 1.0  # a bright speck outside
    assert torch.equal(foreground_mask(image[None], len(shape)), truth[None])


def test_keeps_both_lungs_unless_told_otherwise() -> None:
    image = (ball((60, 60), 10, (30, 15)) | ball((60, 60), 8, (30, 45))).float()[None]
    assert torch.equal(foreground_mask(image, 2), image > 0)
    assert torch.equal(foreground_mask(image, 2, min_component=1.0)[0], ball((60, 60), 10, (30, 15)))


def test_a_volume_of_a_2d_method_is_filled_slice_by_slice() -> None:
    shell = ball((24, 24, 24), 10) & ~ball((24, 24, 24), 6)
    shell[11:13, 11:13] = False  # a channel along the last axis: open in 3D, holes in every slice
    tube = shell.clone()
    mask = foreground_mask(tube[None].float(), 2)
    expected = torch.stack([torch.from_numpy(ndimage.binary_fill_holes(s.numpy())) for s in tube.unbind(-1)], dim=-1)
    assert torch.equal(mask[0], expected)
    assert not torch.equal(foreground_mask(tube[None].float(), 3), mask)


@pytest.mark.parametrize("shape", [(24, 24), (16, 16, 16)])
def test_hole_filling_equals_scipy(shape: tuple[int, ...]) -> None:
    image = (torch.rand(shape) > 0.45).float()
    mask = foreground_mask(image[None], len(shape), min_component=1e-6)
    assert torch.equal(mask[0], torch.from_numpy(ndimage.binary_fill_holes(image.numpy() > 0)))


def test_channels_are_joined() -> None:
    left, right = ball((40, 40), 8, (20, 15)), ball((40, 40), 8, (20, 22))
    image = torch.stack([left.float(), 100.0 * right])
    assert torch.equal(foreground_mask(image, 2)[0], left | right)


def test_constant_and_tiny_images() -> None:
    assert not foreground_mask(torch.full((1, 8, 8), 3.0), 2).any()
    assert not foreground_mask(torch.zeros(1, 1, 1), 2).any()
    small = torch.zeros(1, 30, 30)
    small[0, 4:6, 4:6] = 1.0  # less than one percent
    assert torch.equal(foreground_mask(small, 2), small > 0)


def test_does_not_depend_on_orientation() -> None:
    image = torch.rand(1, 21, 17)
    assert torch.equal(foreground_mask(image.flip(1).transpose(1, 2), 2), foreground_mask(image, 2).flip(1).mT)


def test_transform_adds_a_mask_in_the_image_geometry() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    image = MetaTensor(ball((16, 16, 16), 5)[None].float(), affine=affine)
    before = image.clone()
    case = ForegroundMaskd(3)({"image": image, "case": "a"})
    mask = case["foreground"]
    assert isinstance(mask, MetaTensor) and mask.dtype == torch.uint8 and mask.shape == (1, 16, 16, 16)
    assert torch.equal(mask.affine, affine)
    assert torch.equal(image, before) and case["case"] == "a"
    assert not isinstance(ForegroundMaskd(2)({"image": torch.rand(1, 9, 9)})["foreground"], MetaTensor)


def test_a_given_mask_wins() -> None:
    given = torch.zeros(1, 8, 8)
    given[0, 2] = 255.0
    case = ForegroundMaskd(2)({"image": torch.rand(1, 8, 8), "foreground": given})
    assert torch.equal(case["foreground"], (given > 0).to(torch.uint8))
    assert given.max() == 255.0
    with pytest.raises(InputError, match=r"case_7.*\(1, 8, 9\)"):
        ForegroundMaskd(2)({"image": torch.rand(1, 8, 9), "foreground": given, "case": "case_7"})


def test_mask_returns_to_the_native_grid_with_the_image() -> None:
    native = ball((20, 16, 12), 5)
    affine = torch.diag(torch.tensor([-1.0, 1.0, 2.0, 1.0], dtype=torch.float64))
    pre = Compose(
        [
            EnsureChannelFirstd("image", channel_dim="no_channel"),
            Orientationd("image", axcodes="LPS", labels=None),
            Resized("image", spatial_size=(40, 32, 24), mode="nearest"),
            ForegroundMaskd(3),
        ]
    )
    case = pre({"image": MetaTensor(native.float(), affine=affine)})
    back = Invertd("foreground", transform=pre, orig_keys="image", nearest_interp=True, to_tensor=True)(case)
    assert torch.equal(back["foreground"][0].as_tensor() > 0, native)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"spatial_dims": 1}, "spatial_dims"),
        ({"spatial_dims": 2, "threshold": 0.0}, "threshold"),
        ({"spatial_dims": 2, "threshold": 1.0}, "threshold"),
        ({"spatial_dims": 2, "min_component": 0.0}, "min_component"),
        ({"spatial_dims": 2, "min_component": 1.5}, "min_component"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ForegroundMaskd(**arguments)
    with pytest.raises(ValueError, match=name):
        foreground_mask(torch.rand(1, 8, 8), **arguments)


def test_bad_shape() -> None:
    with pytest.raises(ValueError, match=r"\(C, \*spatial\)"):
        foreground_mask(torch.rand(8, 8), 2)
    with pytest.raises(ValueError, match=r"\(C, \*spatial\)"):
        foreground_mask(torch.rand(1, 8, 8), 3)


def test_pickles_and_is_quick() -> None:
    transform = pickle.loads(pickle.dumps(ForegroundMaskd(2)))
    image = ball((96, 96), 40)[None].float()
    transform({"image": image})
    started = time.perf_counter()
    for _ in range(10):
        transform({"image": image})
    assert (time.perf_counter() - started) / 10 < 0.03  # 0.4 ms on an idle core
