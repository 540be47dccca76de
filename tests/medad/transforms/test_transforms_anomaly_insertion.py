# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
import torch
from medad.transforms import SyntheticAnomaly, insert_anomaly
from medad.transforms.anomaly_insertion import soft_region


def _anomaly(spatial_dims: int, channels: int = 1, **given: Any) -> SyntheticAnomaly:
    plain: dict[str, Any] = {
        "size": (0.5,) * spatial_dims,
        "grid": torch.zeros((1, 1, *[3] * spatial_dims)),
        "irregularity": 0.0,
        "softness": 1e-6,
        "place": 0.5,
        "source": None,
        "flips": (),
        "contrast": 1.0,
        "brightness": (0.0,) * channels,
        "weight": 1.0,
    }
    return SyntheticAnomaly(**{**plain, **given})


def _rank(place: tuple[int, ...], shape: tuple[int, ...]) -> float:
    return (float(np.ravel_multi_index(place, shape[1:])) + 0.5) / float(np.prod(shape[1:]))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_region_without_noise_is_an_ellipse(spatial_dims: int) -> None:
    lengths = (12, 9, 7)[:spatial_dims]
    region = soft_region(lengths, torch.randn((1, 1, *[3] * spatial_dims)), irregularity=0.0, softness=0.5)
    axes = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) / (n / 2) for n in lengths], indexing="ij")
    height = 1.0 - sum(axis**2 for axis in axes)
    expected = np.clip(height / height.max() / 0.5, 0, 1)
    np.testing.assert_allclose(region[0].numpy(), expected, atol=1e-6)


def test_noise_only_takes_away_and_leaves_the_center() -> None:
    for _ in range(30):
        grid, lengths = torch.randn(1, 1, 4, 5), (20, 17)
        whole = soft_region(lengths, grid, irregularity=0.0, softness=0.1) > 0
        ragged = soft_region(lengths, grid, irregularity=3.0, softness=0.1) > 0
        assert not (ragged & ~whole).any() and ragged.sum() < whole.sum()
        assert ragged[0, 10, 8]


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_of_a_hard_region(channels: int) -> None:
    """A flat image gets what is added, the other way where it would leave [0, 1]; contrast makes no difference."""
    image = torch.tensor([0.8, 0.5, 0.1])[:channels, None, None].expand(-1, 20, 20)
    place, brightness = _rank((10, 10), image.shape), (0.3, 0.3, -0.2)[:channels]
    changed, mask = insert_anomaly(image, _anomaly(2, brightness=brightness, contrast=0.4, place=place))
    inside = changed[:, mask[0] > 0]
    torch.testing.assert_close(inside, torch.tensor([0.5, 0.8, 0.3])[:channels, None].expand_as(inside))
    assert abs(float(mask.sum()) - np.pi * 5**2) < 8
    assert torch.equal(changed * (1 - mask), image * (1 - mask))


def test_contrast_keeps_the_mean() -> None:
    image = 0.4 + 0.2 * torch.rand(1, 24, 24, dtype=torch.float64)
    changed, mask = insert_anomaly(image, _anomaly(2, contrast=0.5))
    before, after = image[mask > 0], changed[mask > 0]
    torch.testing.assert_close(after.mean(), before.mean())
    torch.testing.assert_close(after.std(), 0.5 * before.std())


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_pasted_content_is_a_flipped_other_place(spatial_dims: int) -> None:
    """With one candidate for the source, the box around it comes back, mirrored, with the given weight."""
    shape = (1, 24, 24, 24)[: spatial_dims + 1]
    image, foreground = torch.rand(shape), torch.zeros(shape)
    target, source = (6,) * spatial_dims, (17,) * spatial_dims
    foreground[(0, *target)] = foreground[(0, *source)] = 1.0
    anomaly = _anomaly(spatial_dims, size=(0.2,) * spatial_dims, place=0.1, source=0.9, flips=(1,), weight=0.75)
    changed, _ = insert_anomaly(image, anomaly, foreground)  # boxes of five voxels; the center only may change
    expected = 0.75 * image[(0, *source)] + 0.25 * image[(0, *target)]
    torch.testing.assert_close(changed[(0, *target)], expected)
    assert (changed != image).sum() == 1
    whole, mask = insert_anomaly(image, anomaly._replace(place=_rank(target, shape), source=_rank(source, shape)))
    around = [tuple(slice(at - 2, at + 3) for at in place) for place in (target, source)]
    there, content = image[0][around[0]], image[0][around[1]].flip(0)
    inside = mask[0][around[0]] > 0
    torch.testing.assert_close(whole[0][around[0]][inside], (0.75 * content + 0.25 * there)[inside])
    assert mask.sum() == inside.sum() > 10
