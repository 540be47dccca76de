# SPDX-License-Identifier: Apache-2.0
"""Morphology against SciPy and scikit-image."""

from typing import Any

import numpy as np
import pytest
import torch
from medad.morphology import (
    convex_hull,
    drop_small,
    erode,
    fill_holes,
    gray_dilation,
    label_components,
    largest,
    neighborhood,
    relative_depth,
)
from scipy import ndimage
from skimage import morphology
from skimage.measure import label

SPATIAL = [(20, 23), (9, 8, 11)]


def test_neighborhood() -> None:
    assert np.array_equal(neighborhood(3, 3), ndimage.generate_binary_structure(3, 1))
    within = neighborhood(3, 2, 2)
    assert within[..., 1].all() and not within[..., 0].any() and not within[..., 2].any()


@pytest.mark.parametrize("shape", [(12, 13), (6, 7, 8)])
def test_components_equal_scikit_image(shape: tuple[int, ...]) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.2
    expected = label(mask.numpy(), connectivity=len(shape))
    components = label_components(mask)
    assert components.dtype == torch.int32
    pairs = {*zip(components.flatten().tolist(), expected.ravel().tolist(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert int(components.max()) == expected.max() > 1


def test_corners_connect() -> None:
    assert label_components(torch.eye(4)).max() == 1
    cube = torch.zeros(2, 2, 2)
    cube[0, 0, 0] = cube[1, 1, 1] = 1
    assert label_components(cube).max() == 1
    assert label_components(torch.zeros(3, 3)).max() == 0


@pytest.mark.parametrize("shape", [(21, 17), (13, 12, 11)])
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_erosion_equals_scipy(shape: tuple[int, ...], iterations: int) -> None:
    mask = torch.rand(1, *shape) > 0.1
    expected = mask[0].numpy()
    if iterations:
        expected = ndimage.binary_erosion(expected, iterations=iterations, border_value=1)
    assert torch.equal(erode(mask, iterations, len(shape))[0], torch.from_numpy(expected))


def test_volume_of_a_2d_method_equals_a_loop_over_slices() -> None:
    mask = torch.rand(1, 15, 14, 6) > 0.1
    looped = torch.stack([erode(s, 2, 2) for s in mask.unbind(-1)], dim=-1)
    assert torch.equal(erode(mask, 2, 2), looped)
    assert not torch.equal(erode(mask, 2, 3), looped)


def test_the_border_of_the_image_is_no_edge_of_the_object() -> None:
    assert erode(torch.ones(1, 5, 5), 9, 2).all()
    assert erode(torch.ones(1, 1, 1), 1, 2).all()


@pytest.mark.parametrize("kernel_size", [1, 3, 7, 13])
@pytest.mark.parametrize("spatial", SPATIAL)
def test_dilation_is_that_of_scipy_and_scikit_image(spatial: tuple[int, ...], kernel_size: int) -> None:
    """The nearest border of the published code, kernels larger than the image included; a closing before is in it."""
    maps = torch.rand(3, 1, *spatial) ** 4
    dilated = gray_dilation(maps, kernel_size)
    cube = (kernel_size,) * len(spatial)
    for image, ours in zip(maps[:, 0].numpy(), dilated[:, 0].numpy(), strict=True):
        closed = ndimage.grey_closing(image, size=cube, mode="nearest")
        assert np.array_equal(ours, ndimage.grey_dilation(image, size=cube, mode="nearest"))
        assert np.array_equal(ours, ndimage.grey_dilation(closed, size=cube, mode="nearest"))
        assert np.array_equal(ours, morphology.dilation(image, np.ones(cube)))
    assert bool((dilated >= maps).all())


def test_erosion_refuses_what_it_does_not_take() -> None:
    with pytest.raises(ValueError, match="iterations"):
        erode(torch.ones(1, 4, 4), -1, 2)
    with pytest.raises(ValueError, match=r"\(C, \*spatial\)"):
        erode(torch.ones(4, 4), 1, 2)


def test_the_largest_component_and_those_of_a_share_of_it() -> None:
    mask = np.zeros((12, 3), dtype=bool)
    mask[0:4, 1] = mask[5:9, 1] = mask[10:12, 1] = True  # 4, 4 and 2 voxels
    assert largest(mask)[0:4, 1].all() and largest(mask).sum() == 4  # the first of two
    assert drop_small(mask, 1.0).sum() == 8 and drop_small(mask, 0.5).sum() == 10
    for kept in (largest, lambda x: drop_small(x, 0.1)):
        assert not kept(np.zeros((3, 3), dtype=bool)).any() and kept(np.ones((3, 3), dtype=bool)).all()


@pytest.mark.parametrize("shape", [(24, 24), (16, 16, 16)])
def test_hole_filling_equals_scipy(shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(0).random(shape) > 0.45
    assert np.array_equal(fill_holes(mask, len(shape)), ndimage.binary_fill_holes(mask))
    slices = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(mask, -1, 0)], axis=-1)
    if len(shape) == 3:
        assert np.array_equal(fill_holes(mask, 2), slices)


def test_the_convex_hull_of_a_triangle_off_the_center() -> None:
    corners = np.zeros((30, 50), dtype=bool)
    corners[[2, 25, 25], [40, 5, 45]] = True
    hull = convex_hull(corners)
    expected = morphology.convex_hull_image(corners, offset_coordinates=False)
    assert bool((hull >= expected).all()) and hull.sum() - expected.sum() < 60  # pixels that an edge runs through
    assert not hull[2, 5] and not hull[28].any()


@pytest.mark.parametrize("shape", [(slice(0), slice(0)), (3, 4), (slice(2, 6), 4), (range(5), range(5))])
def test_a_hull_without_an_area_is_the_mask(shape: Any) -> None:
    mask = np.zeros((8, 9), dtype=bool)
    mask[shape] = True
    assert (convex_hull(mask) == mask).all()


@pytest.mark.parametrize(("spatial_dims", "size"), [(2, (9, 11)), (3, (9, 11, 7))])
def test_depth_counts_voxels_to_the_rim(spatial_dims: int, size: tuple[int, ...]) -> None:
    mask = torch.zeros(1, *size)
    mask[(0, *[slice(1, n - 1) for n in size])] = 1
    depth = relative_depth(mask, spatial_dims)
    middle = tuple(n // 2 for n in size)
    deepest = min(size) // 2
    assert depth.dtype == torch.float32 and float(depth[(0, *middle)]) == 1.0
    assert float(depth[(0, 1, *middle[1:])]) == pytest.approx(1 / deepest)
    assert not bool(depth[mask == 0].any())


def test_the_border_of_an_image_is_no_rim_and_slices_have_their_own_depth() -> None:
    cut = torch.zeros(1, 10, 8)
    cut[:, :4] = 1  # it goes on beyond the image
    assert torch.equal(relative_depth(cut, 2)[0, :, 3], torch.tensor([1.0, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0]))
    stack = torch.stack([cut, torch.ones_like(cut), torch.zeros_like(cut)], dim=-1)
    depth = relative_depth(stack, 2)
    assert torch.equal(depth[..., 0], relative_depth(cut, 2))
    assert bool((depth[..., 1] == 1).all()) and not bool(depth[..., 2].any())
