# SPDX-License-Identifier: Apache-2.0
"""Cross-validated voxel rates: how much of a new subject lies above a threshold that was made without it.

A threshold ``t(r)`` leaves the share ``r`` of the voxels of the subjects it was made from above it. Another subject has
more: the fewer subjects, the more. ``r'(r) = sum_f W_f(above t_f(r)) / W`` tells how much, where ``t_f`` is the
threshold of all subjects but those of fold ``f``, and ``W_f`` the weight of the voxels in that fold.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from .histogram import Histogram

FOLDS = 20
"""Up to so many subjects each is left out by itself."""
_MANTISSA_BITS = 8


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

    def rates(self, rates: Sequence[float]) -> list[float]:
        """Give for each rate the share of the voxels above the threshold that was made without their subject.

        Args:
            rates: intended shares, in (0, 1).

        Returns:
            A share for each; none if all voxels are of one fold.
        """
        if len(self._histograms) < 2:
            return []
        everything = _histogram()
        for histogram in self._histograms.values():
            everything.merge(histogram)
        above = np.zeros(len(rates))
        for histogram in self._histograms.values():
            above += histogram.weight_above(everything.without(histogram).thresholds(rates))
        shares: list[float] = (above / everything.total).tolist()
        return shares


def _histogram() -> Histogram:
    return Histogram(_MANTISSA_BITS)
