# SPDX-License-Identifier: Apache-2.0
"""Seeds of the noise at test time: a function of run, repeat, level and slice, never of case or batch."""

import torch
from torch import Tensor

from ..noise import counter_bits


def noise_seeds(seed: int, repeat: int, level: int, positions: Tensor) -> Tensor:
    """Give every field of noise a seed of its own.

    Args:
        seed: seed of the inferer.
        repeat: which of several runs over the same images.
        level: level of the diffusion that the noise is for.
        positions: ``int64`` ``(B,)``: which slice of a volume each image is; 0 for an image of its own.

    Returns:
        ``int64`` seeds ``(B,)`` on the device of ``positions``.
    """
    seeds = torch.zeros_like(positions)
    for number in (seed, repeat, level, positions):
        seeds = counter_bits(seeds + number, 1)[:, 0]
    return seeds
