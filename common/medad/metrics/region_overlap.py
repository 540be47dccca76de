# SPDX-License-Identifier: Apache-2.0
"""Area under the per-region overlap curve: PRO(t) = mean over the abnormal regions of their share with score >= t.

AUPRO = 1 / L * integral from 0 to L of PRO over the false-positive rate, L = 0.3. Every region weighs the same whatever
its size. Because PRO(t) is a sum over voxels of 1 / (size of their region), it streams as a weighted histogram
(``ScoreHistogram.regions``).

References:
    [1] P. Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021,
    https://doi.org/10.1007/s11263-020-01400-4,
        section 5.2 (per-region overlap, integration limit 0.3).
"""

import torch
from torch import Tensor

from ..checks import check_within
from .ranking import at_or_above

FPR_LIMIT = 0.3


def aupro(negatives: Tensor, regions: Tensor, fpr_limit: float = FPR_LIMIT) -> Tensor:
    """Integrate the per-region overlap up to a false-positive rate and normalize to [0, 1].

    The curve runs linearly between the thresholds, from (0, 0), and is cut at ``fpr_limit`` by interpolation.

    Args:
        negatives: ``(..., levels)`` counts of normal voxels per level, ascending score.
        regions: ``(..., levels)`` region-normalized weights per level; they sum to the number of regions.
        fpr_limit: upper end of the integral, in (0, 1].

    Returns:
        ``(...)`` float64 in [0, 1]; NaN without a normal voxel or without a region.

    Raises:
        ValueError: if ``fpr_limit`` is outside (0, 1].
    """
    check_within("(0, 1]", fpr_limit=fpr_limit)
    fpr, overlap = (_curve(field) for field in (negatives, regions))
    left, right = fpr[..., :-1].clamp(max=fpr_limit), fpr[..., 1:].clamp(max=fpr_limit)
    rise, run = overlap.diff(dim=-1), fpr.diff(dim=-1)
    reached = torch.where(run > 0, (right - fpr[..., :-1]) / run, 0.0)
    area = ((right - left) * (overlap[..., :-1] + rise * reached / 2)).sum(-1) / fpr_limit
    return torch.where((negatives.sum(-1) > 0) & (regions.sum(-1) > 0), area, torch.nan)


def _curve(counts: Tensor) -> Tensor:
    """Return the share at or above each threshold, thresholds descending, starting at 0: ``(..., levels + 1)``."""
    cumulative = torch.nn.functional.pad(at_or_above(counts).flip(-1), (1, 0))
    return cumulative / cumulative[..., -1:]
