# SPDX-License-Identifier: Apache-2.0
"""What the transforms of maps share: entries of a case, masks on the grid of a map, geometry that is kept."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import convert_to_dst_type


def like(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Give ``x`` the affine and metadata of ``reference`` where that is a ``MetaTensor``; the type stays."""
    if not isinstance(reference, MetaTensor):
        return x
    return convert_to_dst_type(x, dst=reference, dtype=x.dtype)[0]


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
    return mask.as_subclass(torch.Tensor).to(x.device) > 0


def entry(data: Mapping[Hashable, Any], key: str, step: str) -> Any:
    """Take an entry of a case.

    Raises:
        KeyError: naming the transform and the entries there are, if the key is missing.
    """
    if key not in data:
        raise KeyError(f"{step}: no entry '{key}', found {sorted(str(k) for k in data)}")
    return data[key]
