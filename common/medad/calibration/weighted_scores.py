# SPDX-License-Identifier: Apache-2.0
"""Conformal p-value against weighted normal scores: ``p(s) = (1 + sum_i w_i [s_i >= s]) / (N + 1)``.

The weights sum to the number ``N`` of what is exchangeable with the new one, images or subjects. The smallest p-value
is ``1 / (N + 1)``, so a false-positive rate ``r`` needs ``N >= 1 / r - 1``.
"""

import bisect
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SLACK = 1e-12
"""Relative error that sums of weights may have."""


def normals_needed(rate: float) -> int:
    """Count the normal images, or subjects, without which none can be called abnormal at a false-positive rate.

    Example:
        >>> normals_needed(0.05)
        19
    """
    return math.ceil(1.0 / rate * (1 - SLACK)) - 1


def least_rate(normals: int) -> str:
    """Write the lowest false-positive rate that so many normal images, or subjects, support, rounded up.

    Example:
        >>> least_rate(8), least_rate(19), least_rate(99)
        ('0.112', '0.05', '0.01')
    """
    rate = 1.0 / (normals + 1)
    digit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return f"{math.ceil(rate / digit * (1 - SLACK)) * digit:.3g}"


@dataclass(frozen=True)
class WeightedScores:
    """Normal scores that a new one is ranked among.

    Args:
        scores: rising.
        weights: weight of each.
        count: ``N``, what the weights sum to.
    """

    scores: Sequence[float]
    weights: Sequence[float]
    count: int

    @functools.cached_property
    def _weight_from(self) -> list[float]:
        """Weight of the i-th score and all higher ones, for every i, and 0 at the end."""
        return [*np.cumsum(self.weights[::-1])[::-1].tolist(), 0.0]

    def p_value(self, score: float) -> float:
        """Give the p-value of a score, in ``[1 / (N + 1), 1]``.

        Raises:
            ValueError: if the score is not a number.
        """
        if math.isnan(score):
            raise ValueError("score must be a number, got nan")
        at_least = self._weight_from[bisect.bisect_left(self.scores, score)]
        return min(1.0, (1.0 + at_least) / (self.count + 1.0))

    def is_rare(self, score: float, rate: float) -> bool:
        """Say whether the p-value of a score is at most ``rate``."""
        return self.p_value(score) <= rate * (1 + SLACK)

    def threshold(self, rate: float) -> float | None:
        """Give the smallest normal score above which a score is rare, or ``None`` if there are too few for the rate."""
        return next((score for score in self.scores if self.is_rare(math.nextafter(score, math.inf), rate)), None)
