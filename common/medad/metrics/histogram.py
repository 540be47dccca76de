# SPDX-License-Identifier: Apache-2.0
"""Score histogram without a range: the bins are the leading bits of the float32 itself.

key(x) = ordered(x) >> (23 - k), where ordered(x) is the bit pattern of x read as int32 (negated magnitude for x < 0),
so that x <= y implies key(x) <= key(y). A bin keeps the sign, the exponent and k mantissa bits: its width is at most
2**-k of the score, whatever the scale of the scores. Histograms are sparse, add up exactly, and so merge over chunks,
cases and ranks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_within

MANTISSA_BITS = 12
"""Bins of 0.024 % of the score; at most 2**21 bins exist, some 40 000 of them are occupied by a typical anomaly map."""

SUBJECT_MANTISSA_BITS = 7
"""Bins of 0.8 % of the score, kept per subject for the bootstrap: some 1700 of 28 bytes, 48 kB, for a volume."""

_FLOAT_MANTISSA_BITS = 23
_INT_MIN = -(2**31)
_INFINITY_BITS = 0x7F800000
_CHUNK = 2**20
_PARTS = 8
_SORTING_IS_FASTER = 2**16
_WIDEST_RANGE = 2**21


class ScoreHistogram(NamedTuple):
    """Occupied bins of a score histogram in ascending order of the score.

    Shape:
        all fields: ``(bins,)``; ``keys`` int32, ``negatives`` and ``positives`` int64, ``regions`` float64: the voxels
        of each abnormal region add 1 / (voxels of the region), so that a region weighs 1 in all.
    """

    keys: Tensor
    negatives: Tensor
    positives: Tensor
    regions: Tensor


def empty_histogram() -> ScoreHistogram:
    """Return the histogram of no scores."""
    counts = torch.zeros(0, dtype=torch.int64)
    return ScoreHistogram(counts.to(torch.int32), counts, counts, counts.to(torch.float64))


def score_keys(scores: Tensor, mantissa_bits: int = MANTISSA_BITS) -> Tensor:
    """Map scores to integer bins that keep their order.

    Args:
        scores: real tensor of any shape; read as float32.
        mantissa_bits: mantissa bits kept, 0 to 23.

    Returns:
        int32 tensor of the same shape. -0.0 and 0.0 share a bin.

    Raises:
        ValueError: if ``mantissa_bits`` is outside 0 to 23, or a score is NaN or infinite.
    """
    check_within(f"[0, {_FLOAT_MANTISSA_BITS}]", mantissa_bits=mantissa_bits)
    bits = scores.detach().as_subclass(Tensor).to(torch.float32).view(torch.int32)
    if bits.numel() == 0:
        return bits.clone()
    lowest, highest = torch.stack(torch.aminmax(bits)).tolist()
    if lowest < 0:
        bits = torch.where(bits < 0, _INT_MIN - bits, bits)
        lowest, highest = torch.stack(torch.aminmax(bits)).tolist()
    if highest >= _INFINITY_BITS or lowest <= -_INFINITY_BITS:
        raise ValueError("The scores hold NaN or infinite values; expected finite scores.")
    return bits >> (_FLOAT_MANTISSA_BITS - mantissa_bits)


def key_values(keys: Tensor, mantissa_bits: int = MANTISSA_BITS) -> Tensor:
    """Return the lowest float32 score of each bin, so that ``score >= value`` selects this bin and all above it.

    Args:
        keys: int32 bins from :func:`score_keys`, any shape.
        mantissa_bits: mantissa bits of the keys.

    Returns:
        float32 tensor of the same shape.
    """
    bits = keys.to(torch.int32) << (_FLOAT_MANTISSA_BITS - mantissa_bits)
    return torch.where(bits < 0, _INT_MIN - bits, bits).view(torch.float32)


def score_histogram(scores: Tensor, regions: Tensor, mantissa_bits: int = MANTISSA_BITS) -> ScoreHistogram:
    """Count the scores of normal and abnormal voxels.

    Counting runs on the device of ``scores`` in chunks of about a million voxels, so the extra memory does not grow
    with the size of the volume; the result lies on the CPU.

    Args:
        scores: anomaly map of any shape, finite.
        regions: integer tensor of the same shape: 0 normal, 1, 2, ... the abnormal regions. A 0/1 mask is one region.
        mantissa_bits: mantissa bits kept.

    Returns:
        The histogram, on the CPU.

    Raises:
        ValueError: if the shapes differ or a score is not finite.
    """
    if scores.shape != regions.shape:
        raise ValueError(
            f"scores has shape {tuple(scores.shape)}, regions {tuple(regions.shape)}; expected equal shapes."
        )
    flat = scores.detach().as_subclass(Tensor).reshape(-1)
    labels = regions.detach().as_subclass(Tensor).reshape(-1).to(flat.device)
    labels = labels.view(torch.uint8) if labels.dtype == torch.bool else labels
    inverse_size = torch.bincount(labels).to(torch.float64).reciprocal()
    parts: list[ScoreHistogram] = []
    for chunk, chunk_labels in zip(flat.split(_CHUNK), labels.split(_CHUNK), strict=True):
        keys, index = _index_keys(score_keys(chunk, mantissa_bits))
        inside = chunk_labels.nonzero().squeeze(1)
        index_inside = index[inside]
        weights = torch.zeros(len(keys), dtype=torch.float64, device=keys.device)
        weights.index_add_(0, index_inside, inverse_size[chunk_labels[inside].long()])
        every = torch.bincount(index, minlength=len(keys))
        positives = torch.bincount(index_inside, minlength=len(keys))
        occupied = every.nonzero().squeeze(1)
        fields = (keys, every - positives, positives, weights)
        parts.append(ScoreHistogram(*(field[occupied].cpu() for field in fields)))
        if len(parts) == _PARTS:
            parts = [add_histograms(parts)]
    return add_histograms(parts)


def add_histograms(histograms: Sequence[ScoreHistogram]) -> ScoreHistogram:
    """Add histograms that have the same mantissa bits; none gives the empty histogram."""
    if not histograms:
        return empty_histogram()
    if len(histograms) == 1:
        return histograms[0]
    keys, index = torch.unique(torch.cat([h.keys for h in histograms]), return_inverse=True)
    joined = (torch.cat(fields) for fields in list(zip(*histograms, strict=True))[1:])
    return ScoreHistogram(keys, *(_sum_groups(field, index, len(keys)) for field in joined))


def coarsen(histogram: ScoreHistogram, dropped_bits: int) -> ScoreHistogram:
    """Join bins by dropping mantissa bits: the histogram that counting with so many bits fewer would have given."""
    keys, index = torch.unique_consecutive(histogram.keys >> dropped_bits, return_inverse=True)
    return ScoreHistogram(keys, *(_sum_groups(field, index, len(keys)) for field in histogram[1:]))


def quantile_groups(histogram: ScoreHistogram, groups: int) -> Tensor:
    """Assign the bins to at most ``groups`` neighboring groups of about equal mass.

    The mass is half that of the normal and half that of the abnormal voxels, so that rare abnormal voxels are resolved
    as well.

    Args:
        histogram: the pooled histogram.
        groups: largest number of groups.

    Returns:
        int64 tensor ``(bins,)`` of group numbers 0, 1, ..., ascending without gaps.
    """
    if len(histogram.keys) <= groups:
        return torch.arange(len(histogram.keys))
    shares = [
        field.to(torch.float64) / field.sum().clamp(min=1) for field in (histogram.negatives, histogram.positives)
    ]
    mass = shares[0] + shares[1]
    middle = (mass.cumsum(0) - mass / 2) / mass.sum()
    return torch.unique_consecutive((middle * groups).long().clamp(max=groups - 1), return_inverse=True)[1]


def _index_keys(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return ascending keys that cover ``keys``, and for each element its place among them."""
    lowest, highest = torch.stack(torch.aminmax(keys)).tolist()
    if keys.numel() < _SORTING_IS_FASTER or highest - lowest >= _WIDEST_RANGE:
        unique, index = torch.unique(keys, return_inverse=True)
        return unique, index
    return torch.arange(lowest, highest + 1, dtype=torch.int32, device=keys.device), keys - lowest


def _sum_groups(values: Tensor, group: Tensor, groups: int) -> Tensor:
    return torch.zeros(groups, dtype=values.dtype).index_add_(0, group, values)
