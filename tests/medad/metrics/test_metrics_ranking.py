# SPDX-License-Identifier: Apache-2.0
"""Exact ranking metrics against scikit-learn, AUPRO and Dice against brute force over explicit thresholds."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from medad.metrics import (
    at_or_above,
    aupro,
    auroc,
    average_precision,
    fpr_at_tpr,
    score_levels,
)
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

LEVELS = [None, 3, 1]


def draw(levels: int | None, n: int = 200, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (n,), generator=generator)
    scores = torch.randn(n, generator=generator, dtype=torch.float64) + labels
    return (scores if levels is None else scores.clamp(0, 1).mul(levels - 1).round()), labels


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
