# SPDX-License-Identifier: Apache-2.0
"""Factorized position embedding: one learned vector per place on each axis, put side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FactorizedPosition(nn.Module):
    """Position embedding that grows with the sum of a grid's axes, not with their product.

    The channels are shared out to the axes as evenly as possible; if they do not divide, the first axes have one more.
    On another grid than the learned one the vectors of each axis are interpolated.

    Args:
        grid: tokens along each axis.
        hidden_size: channels of a token.

    Shape:
        ``forward(grid)`` gives ``(1, N, hidden_size)``, N the product of the grid asked for.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687 (rows and
        columns, 128 channels each).
    """

    def __init__(self, grid: Sequence[int], hidden_size: int) -> None:
        super().__init__()
        share, rest = divmod(hidden_size, len(grid))
        self.axes = nn.ParameterList(
            nn.Parameter(torch.empty(1, share + int(axis < rest), size)) for axis, size in enumerate(grid)
        )
        for vectors in self.axes:
            nn.init.uniform_(vectors)

    def forward(self, grid: list[int]) -> Tensor:
        """Give the positions on ``grid``, its last axis fastest."""
        parts: list[Tensor] = []
        for axis, vectors in enumerate(self.axes):
            resized = F.interpolate(vectors, [grid[axis]], mode="linear", align_corners=False)
            along = [1] * len(grid)
            along[axis] = grid[axis]
            parts.append(resized.unflatten(2, along).expand([1, vectors.shape[1]] + grid))  # noqa: RUF005 TorchScript
        return torch.cat(parts, dim=1).flatten(2).transpose(1, 2)
