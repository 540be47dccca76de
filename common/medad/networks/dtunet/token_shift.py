# SPDX-License-Identifier: Apache-2.0
"""Time-shift of tokens: one number per token, which follows from the timestep."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..patch_grid import resize_grid


class TokenShift(nn.Module):
    """From the embedding of the time to one number per token, which is added to all channels of it.

    The number of a patch belongs to its place; on another grid the numbers are interpolated.

    Args:
        time_features: numbers in the embedding of the time.
        grid: patches along each axis, 2 or 3 axes.

    Shape:
        ``(B, time_features)`` to ``(B, 1 + N, 1)``, N the product of the grid asked for.

    References:
        Kumar et al., WACV 2025, pp. 7917-7927 (the dynamic tokens of DTU-Net).
    """

    def __init__(self, time_features: int, grid: Sequence[int]) -> None:
        super().__init__()
        self.grid = list(grid)
        self.numbers = nn.Sequential(nn.GELU(), nn.Linear(time_features, 1 + math.prod(grid)))

    def forward(self, time: Tensor, grid: list[int]) -> Tensor:
        """Give the number of the first token and of the patches on ``grid``."""
        numbers = self.numbers(time).unsqueeze(1)
        patches = resize_grid(numbers[:, :, 1:].unflatten(2, self.grid), grid).flatten(2)
        return torch.cat([numbers[:, :, :1], patches], dim=2).transpose(1, 2)
