# SPDX-License-Identifier: Apache-2.0
"""Histogram of non-negative floats in bins of equal relative width: weighted quantiles in bounded memory.

Non-negative floats are ordered as their bit patterns are. A bin holds the floats that agree in the exponent and the
first ``m`` bits of the mantissa, so it is at most ``2**-m`` wide relative to its values.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_MANTISSA_BITS = 23  # of a float32
_INFINITY = 0x7F800000  # bit pattern; those of the finite floats from 0 on are lower
_SLACK = 1e-9
_FEW_VALUES = 1 << 16


class Histogram:
    """Count weighted values as they come.

    Args:
        mantissa_bits: bits ``m`` that tell bins apart; 14 take 33 MB, 8 take 0.5 MB.
    """

    def __init__(self, mantissa_bits: int) -> None:
        self.shift = _MANTISSA_BITS - mantissa_bits
        self.weights: npt.NDArray[np.float64] = np.zeros(_INFINITY >> self.shift, dtype=np.float64)

    def __getstate__(self) -> dict[str, Any]:
        """Travel between processes with the occupied bins only."""
        bins = np.flatnonzero(self.weights)
        return {"shift": self.shift, "weights": (bins, self.weights[bins])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unfold the occupied bins."""
        self.shift = state["shift"]
        self.weights = np.zeros(_INFINITY >> self.shift, dtype=np.float64)
        bins, weights = state["weights"]
        self.weights[bins] = weights

    @property
    def total(self) -> float:
        """Weight of all values."""
        return float(self.weights.sum())

    def add(self, values: torch.Tensor, weight: float) -> None:
        """Count values.

        Args:
            values: finite float32 values of at least 0, ``(n,)``.
            weight: of each of them. What is added is a whole number of it, so the order of values does not matter.
        """
        bits = (values + 0.0).contiguous().view(torch.int32)  # -0.0 + 0.0 = 0.0
        bins = (bits >> self.shift).cpu().numpy()
        if bins.size < _FEW_VALUES:
            occupied, counts = np.unique(bins, return_counts=True)
            self.weights[occupied] += counts * weight
        else:
            counts = np.bincount(bins)
            self.weights[: counts.size] += counts * weight

    def merge(self, other: "Histogram") -> None:
        """Add what another histogram of the same bins counted."""
        self.weights += other.weights

    def without(self, part: "Histogram") -> "Histogram":
        """Give what is left if the values of a part had not come."""
        rest = Histogram(_MANTISSA_BITS - self.shift)
        rest.weights = np.maximum(self.weights - part.weights, 0.0)
        return rest

    def thresholds(self, rates: Sequence[float]) -> list[float]:
        """Give for each rate the smallest upper edge of a bin above which at most that share of the weight lies.

        Args:
            rates: shares, in (0, 1).

        Returns:
            A float32 for each, none if nothing came; 0 where only zeros lie in the bin.
        """
        occupied = np.flatnonzero(self.weights)
        if not occupied.size:
            return []
        weight = self.weights[occupied]
        above = np.append(np.cumsum(weight[::-1])[::-1][1:], 0.0) / weight.sum()  # share in higher bins
        allowed = np.asarray(rates) * (1 + _SLACK)
        # `above` falls: the first bin whose share above it is small enough
        first = np.searchsorted(-above, -allowed, side="left")
        edges = ((occupied[first].astype(np.int64) + 1) << self.shift) - 1
        edges[occupied[first] == 0] = 0
        thresholds: list[float] = edges.astype(np.int32).view(np.float32).astype(np.float64).tolist()
        return thresholds

    def weight_above(self, thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give the weight in the bins above those in which thresholds lie.

        Args:
            thresholds: finite values of at least 0.
        """
        bins = np.asarray(thresholds, dtype=np.float32).view(np.int32) >> self.shift
        from_bin = np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)
        above: npt.NDArray[np.float64] = from_bin[bins + 1]
        return above
