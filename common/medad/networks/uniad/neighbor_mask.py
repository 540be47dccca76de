# SPDX-License-Identifier: Apache-2.0
"""Neighbor mask: which tokens of a grid are too near to each other to attend.

blocked(a, b) = on every axis |a - b| <= window // 2
"""

import torch
from torch import Tensor


def neighbor_mask(grid: list[int], window: list[int]) -> Tensor:
    """Block attention from a token to itself and to the tokens around it.

    Args:
        grid: tokens along each axis.
        window: width of the blocked neighborhood along each axis, odd.

    Returns:
        ``(N, N)``, N the product of the grid: true where the token of the row must not see the token of the column, as
        :class:`torch.nn.MultiheadAttention` understands it.

    Raises:
        ValueError: if the grid fits into the window: the token in the middle would see nothing, and its attention
            would be NaN.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687 (neighbor masked
        attention).
    """
    fits = True
    for size, width in zip(grid, window):  # noqa: B905 TorchScript has no strict
        fits = fits and size <= width
    if fits:
        raise ValueError(f"grid={grid}: fits into the window {window} of blocked neighbors, a token would see nothing. "
                         "Use a larger grid or a smaller neighbor_size.")  # fmt: skip
    blocked = torch.ones(1, 1, dtype=torch.bool)
    for size, width in zip(grid, window):  # noqa: B905
        place = torch.arange(size)
        near = (place[:, None] - place[None]).abs() <= width // 2
        count = blocked.shape[0] * size
        blocked = (blocked[:, None, :, None] & near[None, :, None, :]).reshape(count, count)
    return blocked
