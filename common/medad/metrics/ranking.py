# SPDX-License-Identifier: Apache-2.0
"""Ranking metrics from counts per score level: AUROC, average precision, FPR at a TPR.

With TP(t), FP(t) the positives and negatives with score >= t, P and N their totals:
AUROC = sum_t n(t) (TP(t) - p(t) / 2) / (P N), AP = sum_t p(t) / P * TP(t) / (TP(t) + FP(t)), FPR95 = min FP(t) / N over
TP(t) / P >= 0.95.

All functions take counts ``(..., levels)`` in ascending order of the score; with one level per distinct score
(:func:`score_levels`) they are exact and equal to scikit-learn's, ties included; with histogram bins they treat a bin
as a tie. Counts may be weighted (bootstrap); where a metric is undefined it is NaN.
"""

import torch
from torch import Tensor

from ..checks import check_within


def at_or_above(counts: Tensor) -> Tensor:
    """Sum the counts of each level and of all levels above it: ``(..., levels)`` float64."""
    return counts.to(torch.float64).flip(-1).cumsum(-1).flip(-1)


def score_levels(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count negatives and positives at each distinct score.

    Args:
        scores: ``(n,)`` finite scores, compared in float64.
        labels: ``(n,)`` 0 or 1.

    Returns:
        ``levels, negatives, positives``, each ``(levels,)``, ascending.

    Raises:
        ValueError: if the shapes differ, a score is not finite, or a label is neither 0 nor 1.
    """
    if scores.shape != labels.shape or scores.ndim != 1:
        raise ValueError(
            f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)}: expected two vectors of one length."
        )
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("The scores hold NaN or infinite values; expected finite scores.")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError("labels holds values other than 0 (normal) and 1 (abnormal).")
    levels, index = torch.unique(scores.to(torch.float64), return_inverse=True)
    positives = torch.bincount(index[labels == 1], minlength=len(levels))
    return levels, torch.bincount(index, minlength=len(levels)) - positives, positives


def auroc(negatives: Tensor, positives: Tensor) -> Tensor:
    """Area under the ROC curve: the chance that a positive outranks a negative, a tie counting one half.

    Args:
        negatives: ``(..., levels)`` counts of normal items per level, ascending score.
        positives: ``(..., levels)`` counts of abnormal items.

    Returns:
        ``(...)`` float64 in [0, 1]; NaN without items of both classes.
    """
    product = positives.sum(-1, dtype=torch.float64) * negatives.sum(-1, dtype=torch.float64)
    return (negatives * (at_or_above(positives) - positives / 2)).sum(-1) / product


def average_precision(negatives: Tensor, positives: Tensor) -> Tensor:
    """Average precision: the precision at each level weighted by the recall gained there (no interpolation).

    Args:
        negatives: ``(..., levels)`` counts of normal items per level, ascending score.
        positives: ``(..., levels)`` counts of abnormal items.

    Returns:
        ``(...)`` float64 in [0, 1]; NaN without items of both classes.
    """
    true_positives, false_positives = at_or_above(positives), at_or_above(negatives)
    precision = true_positives / (true_positives + false_positives).clamp(min=torch.finfo(torch.float64).tiny)
    value = (positives * precision).sum(-1) / positives.sum(-1, dtype=torch.float64)
    return torch.where(negatives.sum(-1) > 0, value, torch.nan)


def fpr_at_tpr(negatives: Tensor, positives: Tensor, tpr: float = 0.95) -> Tensor:
    """Lowest false-positive rate of all thresholds whose true-positive rate is at least ``tpr``.

    Args:
        negatives: ``(..., levels)`` counts of normal items per level, ascending score.
        positives: ``(..., levels)`` counts of abnormal items.
        tpr: required true-positive rate, in (0, 1].

    Returns:
        ``(...)`` float64 in [0, 1]; NaN without items of both classes.

    Raises:
        ValueError: if ``tpr`` is outside (0, 1].
    """
    check_within("(0, 1]", tpr=tpr)
    if positives.shape[-1] == 0:
        return torch.full(positives.shape[:-1], torch.nan, dtype=torch.float64)
    true_positives, false_positives = at_or_above(positives), at_or_above(negatives)
    total, rates = true_positives[..., :1], false_positives / false_positives[..., :1]
    value = torch.where(true_positives / total >= tpr, rates, torch.inf).amin(-1)
    return torch.where((total[..., 0] > 0) & (false_positives[..., 0] > 0), value, torch.nan)
