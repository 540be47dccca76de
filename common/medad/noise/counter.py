# SPDX-License-Identifier: Apache-2.0
"""Counter-based random numbers: value = f(seed, index), without any state.

Every sample of a batch has its own seed, all samples are drawn in one vectorized call, and the same seed gives the same
numbers on every device, in every batch and in every order.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 15), written as signed 64-bit integers
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


def _shift_right(bits: Tensor, count: int) -> Tensor:
    """Shift without copying the sign bit (torch has no unsigned shift)."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def mix(bits: Tensor) -> Tensor:
    """Scramble 64-bit integers (finalizer of SplitMix64).

    Args:
        bits: ``int64`` tensor of any shape.

    Returns:
        ``int64`` tensor of the same shape.
    """
    bits = (bits ^ _shift_right(bits, 30)) * _MIX_1
    bits = (bits ^ _shift_right(bits, 27)) * _MIX_2
    return bits ^ _shift_right(bits, 31)


def counter_bits(seeds: Tensor, count: int) -> Tensor:
    """Draw ``count`` integers for each seed.

    Args:
        seeds: ``int64`` seeds ``(B,)``.
        count: how many numbers each seed gives.

    Returns:
        ``int64`` tensor ``(B, count)``: the SplitMix64 sequences that start at the scrambled seeds.
    """
    index = torch.arange(1, count + 1, device=seeds.device)
    return mix(mix(seeds)[:, None] + index[None, :] * _GOLDEN_GAMMA)


def counter_uniform(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw uniform numbers in (0, 1) for each seed.

    Args:
        seeds: ``int64`` seeds ``(B,)``.
        shape: shape of one sample.

    Returns:
        ``float32`` tensor ``(B, *shape)``.
    """
    # 23 bits and half a step: exact in float32 and never 0 or 1
    bits = _shift_right(counter_bits(seeds, math.prod(shape)), 41)
    return ((bits.to(torch.float32) + 0.5) * 2.0**-23).reshape(len(seeds), *shape)


def counter_normal(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw standard normal numbers for each seed (Box-Muller transform).

    Args:
        seeds: ``int64`` seeds ``(B,)``.
        shape: shape of one sample.

    Returns:
        ``float32`` tensor ``(B, *shape)``.
    """
    radius, angle = counter_uniform(seeds, (2, *shape)).unbind(1)
    return torch.sqrt(-2.0 * torch.log(radius)) * torch.cos(2.0 * math.pi * angle)


def counter_integers(seeds: Tensor, high: Sequence[int]) -> Tensor:
    """Draw one integer below each bound for each seed.

    Args:
        seeds: ``int64`` seeds ``(B,)``.
        high: exclusive upper bounds.

    Returns:
        ``int64`` tensor ``(B, len(high))``.
    """
    bits = _shift_right(counter_bits(seeds, len(high)), 1)
    return bits % torch.tensor(list(high), device=seeds.device)
