# SPDX-License-Identifier: Apache-2.0
"""Dice pooled over a data set, at given masks and, as an oracle, at the best threshold: 2 TP / (2 TP + FP + FN).

The voxels of all cases are pooled before the ratio is taken, so that cases without a lesion, whose own Dice is
undefined, count through their false positives.
"""

import torch
from torch import Tensor

from .ranking import at_or_above


def pooled_dice(true_positives: Tensor, false_positives: Tensor, false_negatives: Tensor) -> Tensor:
    """Dice of pooled voxel counts.

    Args:
        true_positives: ``(...)`` abnormal voxels in the mask.
        false_positives: ``(...)`` normal voxels in the mask.
        false_negatives: ``(...)`` abnormal voxels outside the mask.

    Returns:
        ``(...)`` float64 in [0, 1]; NaN where there is no abnormal voxel.
    """
    twice = 2 * true_positives.to(torch.float64)
    value = twice / (twice + false_positives + false_negatives)
    return torch.where(true_positives + false_negatives > 0, value, torch.nan)


def oracle_dice(negatives: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
    """Best pooled Dice over all thresholds: an upper bound that looks at the truth, never a result of the method.

    Args:
        negatives: ``(..., levels)`` counts of normal voxels per level, ascending score.
        positives: ``(..., levels)`` counts of abnormal voxels.

    Returns:
        ``(...)`` float64 Dice (NaN without abnormal voxels) and ``(...)`` int64 level at which ``score >= level``
        reaches it.
    """
    if positives.shape[-1] == 0:
        shape = positives.shape[:-1]
        return torch.full(shape, torch.nan, dtype=torch.float64), torch.zeros(shape, dtype=torch.int64)
    true_positives = at_or_above(positives)
    value, level = pooled_dice(true_positives, at_or_above(negatives), true_positives[..., :1] - true_positives).max(-1)
    return value, level
