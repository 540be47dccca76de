# SPDX-License-Identifier: Apache-2.0
"""Interpolation of what was learned for one grid of patches to another."""

from torch import Tensor
from torch.nn import functional as F


def resize_grid(values: Tensor, grid: list[int]) -> Tensor:
    """Interpolate linearly from one grid of patches to another; the same grid changes nothing.

    Args:
        values: ``(B, C, *old_grid)`` with 2 or 3 axes.
        grid: points of the new grid.

    Returns:
        ``(B, C, *grid)``.
    """
    mode = "bilinear" if values.ndim == 4 else "trilinear"
    return F.interpolate(values, grid, mode=mode, align_corners=False)
