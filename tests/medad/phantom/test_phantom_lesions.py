# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.phantom import LesionKind, abnormal_phantom, healthy_phantom
from medad.phantom.anatomy import draw_head
from medad.phantom.fields import normalized_axes
from medad.phantom.lesions import add_lesion
from scipy.ndimage import binary_erosion

KINDS = [kind.value for kind in LesionKind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dims", "size"), [(2, (64, 64)), (3, (32, 32, 32))])
def test_lesion_changes_its_mask_and_little_else(kind: str, dims: int, size: tuple[int, ...]) -> None:
    half = min(size) / 2
    change_inside, share = [], []
    for index in range(8):
        twin = healthy_phantom(0, index, dims, size)
        image, mask, name = abnormal_phantom(0, index, dims, size, kind)
        assert name == kind
        assert mask.shape == size
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        change = (image - twin) / np.median(twin[twin > 0])
        center = np.argwhere(mask).mean(0).reshape(-1, *[1] * dims)
        distance = np.linalg.norm(np.indices(size) - center, axis=0) / half
        assert distance[mask == 1].max() < (0.5 if dims == 2 else 0.7)
        if kind != "mass_effect":
            assert np.all(change[distance > (0.5 if dims == 2 else 0.7)] == 0)
        outer = (twin > 0) & ~binary_erosion(twin > 0, iterations=4 - dims)
        np.testing.assert_allclose(change[outer], 0, atol=1e-5)  # nothing moves the scalp
        change_inside.append(change[mask == 1])
        share.append(mask.mean())
    means = np.array([values.mean() for values in change_inside])
    if kind == "hyperintense":
        assert (means > 0.1).all()
    elif kind == "hypointense":
        assert (means < -0.1).all()
    elif kind == "texture":
        assert np.abs(means).max() < 0.15
        assert min(values.std() for values in change_inside) > 0.1
    else:
        assert means.min() < 0 < means.max()  # masses are darker or brighter
    assert 0.001 < np.mean(share) < 0.06


@pytest.mark.parametrize(("dims", "size"), [(2, (16, 16)), (3, (16, 16, 16))])
def test_even_the_smallest_image_shows_its_lesion(dims: int, size: tuple[int, ...]) -> None:
    assert min(abnormal_phantom(9, index, dims, size)[1].sum() for index in range(40)) >= 1


def test_kinds_are_drawn_when_not_given() -> None:
    assert {abnormal_phantom(0, index, 2, (16, 16))[2] for index in range(24)} == set(KINDS)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="kind is 'tumor'"):
        abnormal_phantom(0, 0, 2, (32, 32), "tumor")


@pytest.mark.parametrize(("dims", "size"), [(2, (64, 64)), (3, (24, 24, 24))])
def test_a_dark_lesion_keeps_half_of_the_tissue(dims: int, size: tuple[int, ...]) -> None:
    ratios = []
    for index in range(8):
        axes = normalized_axes(size)
        head = draw_head(np.random.default_rng(index), axes)
        value, mask = add_lesion(np.random.default_rng(index), head, axes, LesionKind.HYPOINTENSE)
        ratios.append((value[mask] / head.intensity[mask]).min())
    assert min(ratios) == pytest.approx(0.5)
