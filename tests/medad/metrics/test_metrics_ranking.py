# SPDX-License-Identifier: Apache-2.0
"""Exact ranking metrics against scikit-learn, AUPRO and Dice against brute force over explicit thresholds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from medad.metrics import (
    at_or_above,
    aupro,
    auroc,
    average_precision,
    fpr_at_tpr,
    key_values,
    oracle_dice,
    pooled_dice,
    score_histogram,
    score_levels,
)
from medad.morphology import label_components
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

LEVELS = [None, 3, 1]


def draw(levels: int | None, n: int = 200, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (n,), generator=generator)
    scores = torch.randn(n, generator=generator, dtype=torch.float64) + labels
    return (scores if levels is None else scores.clamp(0, 1).mul(levels - 1).round()), labels


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


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_to_scikit_learn(levels: int | None, seed: int) -> None:
    scores, labels = draw(levels, seed=seed)
    _, negatives, positives = score_levels(scores, labels)
    assert auroc(negatives, positives).item() == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(negatives, positives).item() == pytest.approx(
        average_precision_score(labels, scores), abs=1e-12
    )
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    for level in (0.5, 0.95, 1.0):
        assert fpr_at_tpr(negatives, positives, level).item() == pytest.approx(fpr[np.argmax(tpr >= level)], abs=1e-12)


def test_fpr_at_a_rate_that_is_reached_exactly() -> None:
    scores = torch.arange(40.0)
    labels = torch.cat([torch.tensor([1]), torch.zeros(20, dtype=torch.int64), torch.ones(19, dtype=torch.int64)])
    _, negatives, positives = score_levels(scores, labels)
    assert fpr_at_tpr(negatives, positives, 0.95).item() == 0
    assert fpr_at_tpr(negatives, positives, 0.951).item() == 1


@pytest.mark.parametrize("levels", LEVELS)
def test_metrics_change_when_the_scores_are_turned_around(levels: int | None) -> None:
    scores, labels = draw(levels)
    _, negatives, positives = score_levels(scores, labels)
    turned = auroc(negatives.flip(-1), positives.flip(-1))
    assert turned.item() == pytest.approx(1 - auroc(negatives, positives).item(), abs=1e-12)


def test_integer_weights_are_repeated_items() -> None:
    scores, labels = draw(5)
    weights = torch.randint(0, 4, scores.shape, generator=torch.Generator().manual_seed(2))
    levels, index = scores.unique(return_inverse=True)
    counts = [
        torch.zeros(2, len(levels), dtype=torch.float64).index_add_(
            1, index, (weights * (labels == c)).double()[None].expand(2, -1)
        )
        for c in (0, 1)
    ]
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    assert torch.allclose(auroc(*counts), torch.tensor(expected, dtype=torch.float64))
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert torch.allclose(average_precision(*counts), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("metric", [auroc, average_precision, fpr_at_tpr, aupro])
@pytest.mark.parametrize("counts", [([1, 2], [0, 0]), ([0, 0], [1, 2]), ([], [])])
def test_one_class_or_nothing_is_nan(metric: Callable[..., torch.Tensor], counts: tuple[list[int], list[int]]) -> None:
    assert metric(*(torch.tensor(field, dtype=torch.int64) for field in counts)).isnan()


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="tpr"):
        fpr_at_tpr(torch.ones(1), torch.ones(1), 0.0)
    with pytest.raises(ValueError, match="fpr_limit"):
        aupro(torch.ones(1), torch.ones(1), 1.1)
    with pytest.raises(ValueError, match="one length"):
        score_levels(torch.zeros(3), torch.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        score_levels(torch.tensor([torch.nan]), torch.zeros(1))
    with pytest.raises(ValueError, match="labels"):
        score_levels(torch.zeros(1), torch.tensor([2]))


def test_at_or_above() -> None:
    assert at_or_above(torch.tensor([[1, 2, 3], [0, 1, 0]])).tolist() == [[6, 5, 3], [1, 1, 0]]


@pytest.mark.parametrize("levels", [2, 9, None])
def test_oracle_dice_is_the_best_f1(levels: int | None) -> None:
    scores, labels = draw(levels)
    values, negatives, positives = score_levels(scores, labels)
    expected = [f1_score(labels, scores >= t) for t in values]
    best, level = oracle_dice(negatives, positives)
    assert best.item() == pytest.approx(max(expected), abs=1e-12)
    assert expected[level] == pytest.approx(max(expected), abs=1e-12)


def test_pooled_dice() -> None:
    decided, truth = torch.randint(0, 2, (2, 50), generator=torch.Generator().manual_seed(0))
    counts = ((decided * truth).sum(), (decided * (1 - truth)).sum(), ((1 - decided) * truth).sum())
    assert pooled_dice(*counts).item() == pytest.approx(f1_score(truth, decided), abs=1e-12)
    zero = torch.tensor(0)
    assert pooled_dice(zero, torch.tensor(5), zero).isnan()
    assert pooled_dice(zero, zero, torch.tensor(5)) == 0
    assert oracle_dice(torch.ones(2), torch.zeros(2))[0].isnan()
    assert oracle_dice(torch.ones(3, 0), torch.zeros(3, 0))[0].isnan().all()


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
