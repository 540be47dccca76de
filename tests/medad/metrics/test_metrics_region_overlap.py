# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import numpy as np
import pytest
import torch
from medad.metrics import (
    aupro,
    key_values,
    score_histogram,
)
from medad.morphology import label_components
from scipy import ndimage


def brute_aupro(scores: np.ndarray, mask: np.ndarray, limit: float) -> float:
    regions, n = ndimage.label(mask, np.ones((3,) * mask.ndim))
    fpr, overlap = [0.0], [0.0]
    for threshold in np.unique(scores)[::-1]:
        decided = scores >= threshold
        fpr.append(decided[mask == 0].mean())
        overlap.append(np.mean([decided[regions == i + 1].mean() for i in range(n)]))
    # enough points between the thresholds that cutting the curve at the limit costs nothing
    grid = np.unique(np.concatenate([np.array(fpr), [limit]]))
    inside = grid[grid <= limit]
    area = 0.0
    for low, high in pairwise(inside):
        at_low = max(o for f, o in zip(fpr, overlap, strict=True) if f == low)
        after = next(i for i, f in enumerate(fpr) if f > low)
        slope = (overlap[after] - at_low) / (fpr[after] - low)
        area += (high - low) * (at_low + slope * (high - low) / 2)
    return area / limit


@pytest.mark.parametrize("shape", [(24, 20), (10, 9, 8)])
@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_equals_brute_force(shape: tuple[int, ...], levels: int | None, limit: float) -> None:
    rng = np.random.default_rng(3)
    mask = ndimage.binary_dilation(rng.random(shape) < 0.01, iterations=1)
    scores = ndimage.gaussian_filter(rng.standard_normal(shape) + mask, 0.7).astype(np.float32) - 0.2
    if levels is not None:
        scores = np.round(scores * levels) / levels
    regions = label_components(torch.from_numpy(mask))
    assert regions.max() > 1
    histogram = score_histogram(torch.from_numpy(scores), regions, 23)
    value = aupro(histogram.negatives, histogram.regions, limit).item()
    assert value == pytest.approx(brute_aupro(scores, mask.astype(int), limit), abs=1e-9)
    rough = score_histogram(torch.from_numpy(scores), regions)
    assert aupro(rough.negatives, rough.regions, limit).item() == pytest.approx(value, abs=1e-3)
    levels_of_rough = key_values(rough.keys)
    assert len(levels_of_rough) <= len(histogram.keys)


def test_aupro_of_perfect_and_constant_maps() -> None:
    assert aupro(torch.tensor([90, 0]), torch.tensor([0.0, 2.0])) == 1
    assert aupro(torch.tensor([90]), torch.tensor([2.0])).item() == pytest.approx(0.15)


def test_small_regions_weigh_as_much_as_large_ones() -> None:
    regions = torch.zeros(1, 100, dtype=torch.int32)
    regions[0, :9], regions[0, 50] = 1, 2
    scores = torch.zeros(1, 100)
    scores[0, :9] = 1
    histogram = score_histogram(scores, regions)
    scores[0, :9], scores[0, 50] = 0, 1
    other = score_histogram(scores, regions)
    value = aupro(histogram.negatives, histogram.regions)
    assert value.item() == pytest.approx(0.5 + 0.5 * 0.15)
    assert aupro(other.negatives, other.regions).item() == pytest.approx(value.item())
