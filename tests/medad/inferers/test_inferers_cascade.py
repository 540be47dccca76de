# SPDX-License-Identifier: Apache-2.0
"""The cascade against a direct computation: windows one by one, components of scikit-image, crops cut by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from medad.inferers import CascadeInferer
from medad.networks import DetectionCascade
from monai.transforms import SpatialCrop
from skimage.measure import label, regionprops
from torch import Tensor, nn

SIZES = [(2, (21, 17), (8, 6), (5, 4)), (3, (11, 9, 10), (6, 4, 4), (3, 4, 5))]


class _Shrink(nn.Module):
    """Loses more of a bright voxel the brighter the rest of its window is, so that windows differ."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 - x.flatten(1).mean(dim=1).view(-1, *[1] * (x.ndim - 1)))


class _Bright(nn.Module):
    """Logits from the mean of a crop."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(1).mean(dim=1)
        return torch.stack([0.3 - mean, 7 * mean], dim=1)


def _network() -> DetectionCascade:
    network = DetectionCascade(_Shrink(), _Bright())
    network.classifier_trained.fill_(1)
    return network


def _image(size: tuple[int, ...], seed: int) -> Tensor:
    noise = torch.rand(1, *size, generator=torch.Generator().manual_seed(seed))
    smooth = nn.functional.avg_pool2d if len(size) == 2 else nn.functional.avg_pool3d
    return 3 * (smooth(noise, 3, 1, 1) - 0.45).clamp(0, 0.3)


def _starts(extent: int, window: int) -> list[int]:
    step = window // 2
    count = max(math.ceil((extent - window) / step), 0) + 1
    return [min(number * step, extent - window) for number in range(count)]


def _average(image: Tensor, window: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Residual and reconstruction, averaged over all windows that a voxel is in."""
    sums = np.zeros((2, *image.shape[1:]))
    counts = np.zeros(image.shape[1:])
    grids = np.meshgrid(*[_starts(n, w) for n, w in zip(image.shape[1:], window, strict=True)], indexing="ij")
    for start in zip(*(grid.ravel() for grid in grids), strict=True):
        place = tuple(slice(a, a + w) for a, w in zip(start, window, strict=True))
        patch = image[0].double().numpy()[place]
        reconstruction = patch * (1 - patch.mean())
        sums[(0, *place)] += np.abs(patch - reconstruction)
        sums[(1, *place)] += reconstruction
        counts[place] += 1
    return sums[0] / counts, sums[1] / counts


def _cascade(image: Tensor, residual: np.ndarray, threshold: float, min_size: int, crop: tuple[int, ...]) -> np.ndarray:
    scores = np.zeros_like(residual)
    for region in regionprops(label(residual > threshold, connectivity=1)):
        if region.area < min_size:
            continue
        center = [math.floor(value + 0.5) for value in region.centroid]
        padding = [(0, 0), *[(max(crop), max(crop))] * (image.ndim - 1)]
        padded = torch.from_numpy(np.pad(image.numpy(), padding))
        cut = SpatialCrop(roi_center=[value + max(crop) for value in center], roi_size=crop)(padded)
        mean = float(cut.double().mean())
        lesion = math.exp(7 * mean) / (math.exp(7 * mean) + math.exp(0.3 - mean))
        inside = tuple(region.coords.T)
        scores[inside] = lesion * residual[inside].mean()
    return scores


@pytest.mark.parametrize(("dims", "size", "patch", "crop"), SIZES)
def test_both_stages_equal_a_direct_computation(
    dims: int, size: tuple[int, ...], patch: tuple[int, ...], crop: tuple[int, ...]
) -> None:
    images = torch.stack([_image(size, seed) for seed in range(3)])
    network = _network()
    settings: dict[str, Any] = {"threshold": 0.008, "min_size": 3, "crop_size": crop, "window_batch_size": 2}
    first = CascadeInferer(dims, patch, stage="separation", **settings)(images, network)
    both = CascadeInferer(dims, patch, **settings)(images, network)
    assert first.shape == both.shape == (3, 2, *size)
    found = 0
    for image, one, two in zip(images, first, both, strict=True):
        residual, reconstruction = _average(image, patch)
        np.testing.assert_allclose(one[0], residual, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(one[1], reconstruction, rtol=1e-4, atol=1e-7)
        assert torch.equal(one[1], two[1])
        expected = _cascade(image, one[0].double().numpy(), 0.008, 3, crop)
        np.testing.assert_allclose(two[0], expected, rtol=1e-4, atol=1e-9)
        found += len(np.unique(expected)) - 1
    assert found >= 3


@pytest.mark.parametrize(("dims", "size", "patch", "crop"), SIZES)
def test_a_normal_image_has_no_candidates_and_score_0(
    dims: int, size: tuple[int, ...], patch: tuple[int, ...], crop: tuple[int, ...]
) -> None:
    out = CascadeInferer(dims, patch, crop_size=crop)(torch.zeros(2, 1, *size), _network())
    assert torch.equal(out[:, 0], torch.zeros(2, *size))


def test_before_the_second_stage_is_trained_the_first_one_decides() -> None:
    images = _image((21, 17), 1)[None]
    settings: dict[str, Any] = {"patch_size": (8, 6), "threshold": 0.008, "min_size": 3, "crop_size": (5, 4)}
    out = CascadeInferer(2, **settings)(images, DetectionCascade(_Shrink(), _Bright()))[0, 0].numpy()
    residual = CascadeInferer(2, stage="separation", **settings)(images, _network())[0, 0].numpy()
    regions = [region for region in regionprops(label(residual > 0.008, connectivity=1)) if region.area >= 3]
    assert regions
    for region in regions:
        np.testing.assert_allclose(out[tuple(region.coords.T)], residual[tuple(region.coords.T)].mean(), rtol=1e-5)


def test_smaller_than_a_window_and_slices_of_a_volume() -> None:
    network = _network()
    inferer = CascadeInferer(2, (8, 6), threshold=0.008, min_size=3, crop_size=(5, 4))
    assert inferer(torch.rand(1, 1, 5, 4), network).shape == (1, 2, 5, 4)
    volume = torch.stack([_image((21, 17), seed) for seed in range(3)], dim=-1)[None]
    slices = torch.stack([inferer(volume[..., z], network) for z in range(3)], dim=-1)
    torch.testing.assert_close(inferer(volume, network), slices)


def test_the_number_of_windows_in_a_batch_changes_nothing() -> None:
    image, network = _image((21, 17), 0)[None], _network()
    made = [CascadeInferer(2, (8, 6), threshold=0.008, crop_size=(5, 4), window_batch_size=n) for n in (1, 50)]
    torch.testing.assert_close(made[0](image, network), made[1](image, network))
    assert repr(made[0]) == repr(made[1]) and "min_size=31" in repr(made[0])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"patch_size": (8,)}, "patch_size"),
        ({"crop_size": (0, 4)}, "crop_size"),
        ({"overlap": 1.0}, "overlap"),
        ({"threshold": 0.0}, "threshold"),
        ({"stage": "both"}, "stage"),
        ({"window_batch_size": 0}, "window_batch_size"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        CascadeInferer(**{"spatial_dims": 2, "patch_size": (8, 6), "crop_size": (5, 4), **wrong})
