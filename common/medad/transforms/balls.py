# SPDX-License-Identifier: Apache-2.0
"""Circles and balls as masks: a voxel is marked if abs(voxel center - center) <= radius of any of them."""

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_balls(centers: Tensor, radii: Tensor, spatial_size: Sequence[int]) -> Tensor:
    """Fill circles (2D) or balls (3D), all at once.

    A ball cuts each line of voxels along the last axis in one interval. Its two ends are noted, and their running sum
    says how many balls a voxel is in; so large balls cost little more than small ones. scikit-image draws one circle at
    a time, without its border, and a ball only in a grid of its own.

    Args:
        centers: ``(n, axes)``, in voxels; the center of the first voxel is 0. They may lie outside the grid.
        radii: ``(n,)``, in voxels, at least 0; a radius of 0 marks a voxel only if the center is exactly on it.
        spatial_size: size of the mask.

    Returns:
        0/1 mask ``(1, *spatial_size)``, uint8, on the device of the centers.

    Raises:
        ValueError: if the shapes do not fit, a size is below 1, a radius is negative, or a number is not finite.
    """
    axes = len(spatial_size)
    if centers.ndim != 2 or centers.shape[1] != axes or radii.shape != centers.shape[:1]:
        raise ValueError(
            f"centers {tuple(centers.shape)}, radii {tuple(radii.shape)}, spatial_size {tuple(spatial_size)}: expected "
            "(n, axes), (n,) and one size per axis."
        )
    if min(spatial_size) < 1:
        raise ValueError(f"spatial_size is {tuple(spatial_size)}; expected at least 1 voxel on every axis.")
    centers, radii = (x.as_subclass(Tensor).to(torch.float64) for x in (centers, radii))
    if not bool(centers.isfinite().all() and radii.isfinite().all() and (radii >= 0).all()):
        raise ValueError("centers or radii hold a negative radius, NaN or an infinite value; expected finite numbers.")
    *others, last = spatial_size
    ends = torch.zeros(*others, last + 1, dtype=torch.int32, device=centers.device)
    if len(centers):
        lines = _lines(centers[:, :-1], radii)  # (n, lines, axes - 1)
        left = radii[:, None].square() - (lines - centers[:, None, :-1]).square().sum(dim=-1)
        crossed = (left >= 0) & ((lines >= 0) & (lines < lines.new_tensor(others))).all(dim=-1)
        center, half = centers[:, -1:].expand_as(left)[crossed], left[crossed].sqrt()
        line, one = lines[crossed].unbind(-1), ends.new_ones(1)
        first, behind = (center - half).ceil(), (center + half).floor() + 1
        ends.index_put_((*line, first.clamp(0, last).long()), one, accumulate=True)
        ends.index_put_((*line, behind.clamp(0, last).long()), -one, accumulate=True)
    return (ends.cumsum(dim=-1)[..., :-1] > 0).to(torch.uint8)[None]


def _lines(centers: Tensor, radii: Tensor) -> Tensor:
    """Whole-number coordinates, on all axes but the last, of the lines that a ball may cross: int64."""
    reach = int(radii.max()) + 1
    axis = torch.arange(-reach, reach + 1, device=centers.device)
    offsets = torch.cartesian_prod(*[axis] * centers.shape[1]).reshape(-1, centers.shape[1])
    return centers.round().long()[:, None] + offsets
