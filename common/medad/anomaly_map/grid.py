# SPDX-License-Identifier: Apache-2.0
"""Shapes shared by the anomaly-map transforms: what a map looks like, and how its geometry is kept."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import convert_to_dst_type


def plain(x: torch.Tensor) -> torch.Tensor:
    """Drop the metadata (not the data): arithmetic on a ``MetaTensor`` costs more and yields nothing here."""
    return x.as_tensor() if isinstance(x, MetaTensor) else x


def like(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Give ``x`` the affine and metadata of ``reference`` where that is a ``MetaTensor``; the type stays."""
    if not isinstance(reference, MetaTensor):
        return x
    return convert_to_dst_type(x, dst=reference, dtype=x.dtype)[0]


def check_spatial_dims(spatial_dims: int) -> None:
    """Refuse anything but 2 and 3.

    Raises:
        ValueError: if ``spatial_dims`` is neither 2 nor 3.
    """
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims}")


def check_map(x: torch.Tensor, spatial_dims: int) -> None:
    """Refuse a tensor that is not ``(C, *spatial)``.

    Args:
        x: tensor to check.
        spatial_dims: 2 or 3; with 2, a volume ``(C, X, Y, Z)`` is accepted as slices along its last axis.

    Raises:
        ValueError: if ``spatial_dims`` is neither 2 nor 3 or the number of axes differs.
    """
    check_spatial_dims(spatial_dims)
    if x.ndim - 1 != spatial_dims and not (spatial_dims == 2 and x.ndim == 4):
        raise ValueError(f"expected (C, *spatial) with spatial_dims={spatial_dims}, got shape {tuple(x.shape)}")


def on_grid_of(mask: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Read a mask as booleans on the grid and device of a map.

    Args:
        mask: 0/1 mask ``(1, *spatial)``.
        x: map ``(1, *spatial)``.

    Returns:
        Boolean tensor of the map's shape.

    Raises:
        ValueError: if the shapes differ.
    """
    if mask.shape != x.shape:
        raise ValueError(f"foreground has shape {tuple(mask.shape)}, the anomaly map {tuple(x.shape)}; use one grid")
    return plain(mask).to(x.device) > 0


def entry(data: Mapping[Hashable, Any], key: str, step: str) -> Any:
    """Take an entry of a case.

    Raises:
        KeyError: naming the transform and the entries there are, if the key is missing.
    """
    if key not in data:
        raise KeyError(f"{step}: no entry '{key}', found {sorted(str(k) for k in data)}")
    return data[key]
