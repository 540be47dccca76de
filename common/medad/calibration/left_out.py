# SPDX-License-Identifier: Apache-2.0
"""Cross-validated voxel rates: how much of a new subject lies above a threshold that was made without it.

A threshold ``t(r)`` leaves the share ``r`` of the voxels of the subjects it was made from above it. Another subject has
more on average: the fewer subjects, the more. With the threshold ``t_f`` of all subjects but those of fold ``f``, and
the share ``s_f`` of the voxels of that fold above it, ``r' = sum_f w_f s_f`` tells how much, and its standard error
``e = sqrt(F / (F - 1) * sum_f w_f^2 (s_f - r')^2)`` how sure that is (``F`` folds of weight ``w_f``, 1 in all).
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .histogram import Histogram

FOLDS = 20
"""Up to so many subjects each is left out by itself."""
_MANTISSA_BITS = 8
_ERRORS = 2.0


class LeftOut(NamedTuple):
    """Shares of new subjects above thresholds, one for each rate.

    Args:
        expected: ``r'``.
        at_most: ``r' + 2 e``, which most thresholds keep.
    """

    expected: tuple[float, ...]
    at_most: tuple[float, ...]


class LeftOutRates:
    """Collect the voxels of subjects in at most :data:`FOLDS` histograms.

    Args:
        subjects: all subjects; ``None`` if they are not known, and two may then share a fold although there are few.

    References:
        M. Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, Journal of the Royal Statistical
        Society B 1974.
    """

    def __init__(self, subjects: Iterable[str] | None = None) -> None:
        self._fold = None if subjects is None else {subject: i % FOLDS for i, subject in enumerate(sorted(subjects))}
        self._histograms: dict[int, Histogram] = defaultdict(_histogram)

    def add(self, subject: str, values: torch.Tensor, weight: float) -> None:
        """Add voxels of a subject, each with a weight; see :meth:`.Histogram.add`."""
        fold = zlib.crc32(subject.encode()) % FOLDS if self._fold is None else self._fold[subject]
        self._histograms[fold].add(values, weight)

    def merge(self, other: "LeftOutRates") -> None:
        """Add what another process collected from other images of the same subjects."""
        for fold, histogram in other._histograms.items():
            self._histograms[fold].merge(histogram)

    def rates(self, rates: Sequence[float]) -> LeftOut:
        """Give for each rate the share of the voxels above the threshold that was made without their subject.

        Args:
            rates: intended shares, in (0, 1).

        Returns:
            Two shares for each; none if all voxels are of one fold.
        """
        folds = len(self._histograms)
        if folds < 2:
            return LeftOut((), ())
        everything = _histogram()
        for histogram in self._histograms.values():
            everything.merge(histogram)
        above = [each.weight_above(everything.without(each).thresholds(rates)) for each in self._histograms.values()]
        weight = np.array([[each.total] for each in self._histograms.values()])  # (folds, 1)
        expected = np.sum(above, axis=0) / weight.sum()
        off = (np.stack(above) - weight * expected) / weight.sum()
        error = np.sqrt(folds / (folds - 1) * (off**2).sum(axis=0))
        return LeftOut(*(tuple(map(_short, row)) for row in (expected, np.minimum(expected + _ERRORS * error, 1.0))))


def _short(share: float) -> float:
    return float(f"{share:.6g}")


def _histogram() -> Histogram:
    return Histogram(_MANTISSA_BITS)
