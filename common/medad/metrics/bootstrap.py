# SPDX-License-Identifier: Apache-2.0
"""Percentile bootstrap over subjects: draw S of S subjects with replacement, R times, with all their images.

A resample is a vector of multinomial subject weights w (sum S), so a metric of the resample is the metric of weighted
counts, sum_s w_s counts_s, and no data are copied. The 95 % interval is the 2.5 % to 97.5 % quantile over the resamples
in which the metric is defined.

References:
    [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3 (percentile interval).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ..checks import check_at_least
from .histogram import ScoreHistogram, add_histograms, empty_histogram, quantile_groups

RESAMPLES = 1000
MAX_BINS = 4096
_RESAMPLES_AT_ONCE = 128
_SUBJECTS_AT_ONCE = 256

Statistic = Callable[[Tensor], dict[str, Tensor]]
"""From subject weights ``(resamples, subjects)`` float64 to named values ``(resamples,)``."""


def subject_weights(subjects: int, resamples: int = RESAMPLES, seed: int = 0) -> Tensor:
    """Draw how often each subject occurs in each resample.

    Args:
        subjects: number of subjects, at least 1.
        resamples: number of resamples.
        seed: seed of the draws; equal arguments give equal weights on every machine.

    Returns:
        int16 tensor ``(resamples, subjects)``; each row sums to ``subjects``.

    Raises:
        ValueError: if ``subjects`` is below 1 or ``resamples`` is negative.
    """
    check_at_least(1, subjects=subjects)
    check_at_least(0, resamples=resamples)
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(resamples, subjects, dtype=torch.int16)
    for rows in weights.split(_RESAMPLES_AT_ONCE):
        drawn = torch.randint(subjects, rows.shape, generator=generator)
        rows.scatter_add_(1, drawn, torch.ones_like(rows))
    return weights


def resample(statistic: Statistic, weights: Tensor) -> dict[str, Tensor]:
    """Evaluate a statistic on every resample, some at a time so that memory stays bounded.

    Args:
        statistic: from weights ``(r, subjects)`` to named values ``(r,)``, NaN where undefined.
        weights: ``(resamples, subjects)`` from :func:`subject_weights`.

    Returns:
        Named values ``(resamples,)`` float64.
    """
    parts = [statistic(rows.to(torch.float64)) for rows in weights.split(_RESAMPLES_AT_ONCE)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def percentile_interval(samples: Tensor, level: float = 0.95) -> tuple[float, float] | None:
    """Return the central interval of the defined samples, or None if fewer than half of them are defined.

    Args:
        samples: ``(resamples,)``, NaN where undefined.
        level: coverage aimed at, in (0, 1).

    Returns:
        ``(low, high)`` or None.
    """
    defined = samples[~samples.isnan()]
    if len(defined) == 0 or 2 * len(defined) < len(samples):
        return None
    tail = (1 - level) / 2
    low, high = torch.quantile(defined, torch.tensor([tail, 1 - tail], dtype=defined.dtype)).tolist()
    return low, high


class WeightedHistograms:
    """Histograms of subjects on common bins, ready to be added up with weights.

    The occupied bins are joined to at most ``max_bins`` groups of about equal mass (half normal, half abnormal voxels),
    so a resample needs ``3 * max_bins`` numbers however many voxels and subjects there are; subjects are made dense a
    few at a time.

    Args:
        histograms: one per subject, all with the same mantissa bits; a subject without voxels has an empty one.
        max_bins: largest number of bins.

    Attributes:
        keys: lowest key of each group ``(bins,)``.
        unweighted: the sum over all subjects ``(1, bins)`` of negatives, positives and region weights.
    """

    def __init__(self, histograms: Sequence[ScoreHistogram], max_bins: int = MAX_BINS) -> None:
        pooled = add_histograms(histograms) if histograms else empty_histogram()
        group = quantile_groups(pooled, max_bins)
        self._histograms = [ScoreHistogram(group[torch.searchsorted(pooled.keys, h.keys)], *h[1:]) for h in histograms]
        self.bins = int(group[-1]) + 1 if len(group) else 0
        first = torch.searchsorted(group, torch.arange(self.bins))
        self.keys = pooled.keys[first]
        self.unweighted = self.weighted(torch.ones(1, len(histograms), dtype=torch.float64))

    def weighted(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add up the histograms for each row of weights.

        Args:
            weights: ``(r, subjects)`` float64.

        Returns:
            ``negatives, positives, regions``, each ``(r, bins)`` float64.
        """
        total = torch.zeros(3, weights.shape[0], self.bins, dtype=torch.float64)
        for start, dense in self._dense_blocks():
            total += weights[:, start : start + dense.shape[1]] @ dense
        negatives, positives, regions = total
        return negatives, positives, regions

    def _dense_blocks(self) -> Iterator[tuple[int, Tensor]]:
        for start in range(0, len(self._histograms), _SUBJECTS_AT_ONCE):
            block = self._histograms[start : start + _SUBJECTS_AT_ONCE]
            dense = torch.zeros(3, len(block), self.bins, dtype=torch.float64)
            for row, (keys, *fields) in enumerate(block):
                for plane, field in zip(dense, fields, strict=True):
                    plane[row].index_add_(0, keys, field.to(torch.float64))
            yield start, dense
