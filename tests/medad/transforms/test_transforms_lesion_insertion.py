# SPDX-License-Identifier: Apache-2.0
import itertools
import math

import numpy as np
import pytest
import torch
from medad.transforms import SyntheticLesion, insert_lesions
from medad.transforms.lesion_insertion import enlarged, lesion_blob
from torch import Tensor

SHAPES = [(1, 20, 24), (2, 17, 15), (1, 12, 10, 14)]


def _lesion(axes: int, place: float = 0.5, radius: float = 0.2, contrast: float = 0.5) -> SyntheticLesion:
    """A ball without noise."""
    nothing = torch.zeros(1, 1, *[2] * axes)
    return SyntheticLesion(place, torch.eye(axes) / radius, (nothing,), 0.1, contrast, nothing)


def _depth(shape: tuple[int, ...]) -> Tensor:
    """From 0 at the border to 1 in the middle."""
    lines = [(torch.arange(n) + 0.5).clamp(max=n / 2).minimum(n - torch.arange(n) - 0.5) / (n / 2) for n in shape[1:]]
    return torch.stack(torch.meshgrid(*lines, indexing="ij")).amin(dim=0, keepdim=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ball_by_its_formula(shape: tuple[int, ...]) -> None:
    """Voxel by voxel in float64."""
    image, depth = 0.5 + torch.rand(shape), _depth(shape)
    lesion = _lesion(len(shape) - 1, place=0.3)
    result = insert_lesions(image, depth, [lesion])
    allowed = np.argwhere(depth[0].numpy() > 0.17)
    center = allowed[int(0.3 * len(allowed))]
    deep = depth[0].numpy() > 0.35
    for channel in range(shape[0]):
        reference = float(np.sort(image[channel].numpy()[deep])[(deep.sum() - 1) // 2])
        for voxel in itertools.product(*map(range, shape[1:])):
            offset = [(at - c) / n for at, c, n in zip(voxel, center, shape[1:], strict=True)]
            blob = 1 / (1 + math.exp(-(1 - math.hypot(*offset) / 0.2) / 0.1))
            added = blob * 0.5 * reference if depth[0][voxel] > 0.12 else 0.0
            expected = float(image[channel][voxel]) + added
            assert float(result.image[channel][voxel]) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(result.image + result.change, image, atol=2e-7, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("contrast", [0.9, -0.4, 0.2])
def test_what_counts_as_a_lesion(shape: tuple[int, ...], contrast: float) -> None:
    image, depth = torch.ones(shape), _depth(shape)
    lesion = _lesion(len(shape) - 1, contrast=contrast)
    target = insert_lesions(image, depth, [lesion]).lesions
    allowed = (depth[0] > 0.17).nonzero()
    blob = lesion_blob(shape[1:], allowed[len(allowed) // 2], lesion) * (depth > 0.12)
    size = np.pad(np.abs(contrast * blob[0].double().numpy()), 1, mode="edge")
    shifts = itertools.product(range(3), repeat=size.ndim)
    windows = [size[tuple(slice(s, s + n) for s, n in zip(shift, shape[1:], strict=True))] for shift in shifts]
    seen = torch.from_numpy(np.mean(windows, axis=0)) > 0.07
    assert target.shape == (1, *shape[1:])
    assert torch.equal(target[0] == 1, (blob[0] > 0.3) & seen)
    assert torch.equal(target[0] == 0, blob[0] <= 0.05)
    assert (target == 1).any() and (target == -1).any() and (target == 0).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_changes_at_the_rim(shape: tuple[int, ...]) -> None:
    image, depth = torch.rand(shape), _depth(shape)
    result = insert_lesions(image, depth, [_lesion(len(shape) - 1, radius=2.0)])
    rim = (depth <= 0.12).expand_as(image)
    assert torch.equal(result.image[rim], image[rim])
    assert not torch.equal(result.image[~rim], image[~rim])
    assert not result.lesions[depth <= 0.12].any()


def test_fluid_may_be_spared() -> None:
    image, depth = torch.ones(1, 24, 24), torch.ones(1, 24, 24)
    image[:, :, 12:] = 0.5
    image[:, :12] = 1.0  # most of it is tissue
    lesions = [_lesion(2, radius=3.0)]
    spared = insert_lesions(image, depth, lesions, spare_dark=True)
    fluid = image < 0.55
    assert torch.equal(spared.image[fluid], image[fluid]) and bool((spared.image[~fluid] > 1.3).all())
    assert bool((insert_lesions(image, depth, lesions).image[fluid] > 0.7).all())


def test_contrast_counts_in_units_of_the_tissue() -> None:
    """An image of other units, lesion and all, is the same image."""
    image, depth = torch.rand(1, 32, 32) + 0.2, torch.ones(1, 32, 32)
    lesions = [_lesion(2, contrast=-0.8), _lesion(2, place=0.1)]
    one, other = insert_lesions(image, depth, lesions), insert_lesions(250.0 * image, depth, lesions)
    torch.testing.assert_close(250.0 * one.image, other.image)
    assert torch.equal(one.lesions, other.lesions)


def test_a_dark_lesion_ends_at_black() -> None:
    result = insert_lesions(torch.full((1, 16, 16), 0.5), torch.ones(1, 16, 16), [_lesion(2, contrast=-3.0)])
    assert float(result.image.min()) == 0.0 and float(result.change.max()) == 0.5


@pytest.mark.parametrize("depth", [0.0, 0.1, 0.3])
def test_an_image_that_is_nowhere_deep_enough_stays(depth: float) -> None:
    image = torch.rand(1, 16, 16)
    result = insert_lesions(image, torch.full((1, 16, 16), depth), [_lesion(2)])
    assert torch.equal(result.image, image) and not result.change.any() and not result.lesions.any()


def test_without_lesions_the_image_stays() -> None:
    image = torch.rand(1, 16, 16)
    result = insert_lesions(image, torch.ones(1, 16, 16), [])
    assert torch.equal(result.image, image) and not result.change.any() and not result.lesions.any()


@pytest.mark.parametrize("size", [(9, 13), (5, 9, 7)])
def test_noise_reaches_from_border_to_border(size: tuple[int, ...]) -> None:
    grid = torch.rand(1, 1, *[3] * len(size))
    noise = enlarged(grid, size)
    for corner in itertools.product((0, -1), repeat=len(size)):
        assert float(noise[(0, *corner)]) == pytest.approx(float(grid[(0, 0, *corner)]))
    middle = tuple(n // 2 for n in size)
    assert float(noise[(0, *middle)]) == pytest.approx(float(grid[(0, 0, *[1] * len(size))]), abs=1e-6)


def test_noise_moves_the_border() -> None:
    axes = 2
    smooth = _lesion(axes)
    rough = smooth._replace(border=(torch.full((1, 1, 2, 2), 0.5),))
    center = torch.tensor([16, 16])
    inside = [int((lesion_blob((32, 32), center, lesion) > 0.5).sum()) for lesion in (smooth, rough)]
    assert inside[1] / inside[0] == pytest.approx(1.5**2, rel=0.1)  # the radius is half as large again
