# SPDX-License-Identifier: Apache-2.0
"""Size filter: connected components of a mask that are too small to be a lesion are dropped."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from ..checks import check_at_least, check_channel_first, check_positive, check_spatial_dims, check_within
from ..keys import Keys
from ..morphology import components
from ..transforms import slice_axis
from .grid import entry, like


def remove_small_components(
    mask: torch.Tensor, spatial_dims: int, min_size: float, connectivity: int = 1, voxel_size: float = 1.0
) -> torch.Tensor:
    """Keep the components of at least ``min_size``.

    MONAI's ``RemoveSmallObjects`` promises the same, but with scikit-image 0.26 it drops objects of exactly
    ``min_size`` too, and it always joins the slices of a volume; a mask may not depend on that. The components are
    found on the CPU.

    Args:
        mask: 0/1 mask ``(1, *spatial)``; with ``spatial_dims=2`` also a volume, treated slice by slice.
        spatial_dims: 2 or 3.
        min_size: smallest size that stays, in voxels, or in the unit of ``voxel_size``.
        connectivity: how many axes a neighbor may differ in, 1 (faces) to ``spatial_dims``.
        voxel_size: area or volume of one voxel.

    Returns:
        Mask ``(1, *spatial)``, uint8; the metadata is kept.

    Raises:
        ValueError: if an argument is out of its range or a shape does not fit.
    """
    check_channel_first(mask, spatial_dims)
    _check_settings(spatial_dims, min_size, connectivity)
    check_positive(voxel_size=voxel_size)
    values = (mask.as_subclass(torch.Tensor)[0] > 0).cpu().numpy()
    labels, _ = components(values, spatial_dims, connectivity)
    inside = labels[values]  # a mask is mostly background, which needs no counting
    # the tolerance lets 3 voxels of 0.1 mm^3 pass as 0.3 mm^3
    keep = np.bincount(inside) * voxel_size >= min_size * (1 - 1e-6)
    kept = np.zeros(values.shape, dtype=np.uint8)
    kept[values] = keep[inside]
    return like(torch.from_numpy(kept)[None].to(mask.device), mask)


class RemoveSmallComponentsd(Transform):
    """Drop small components from the mask of a case.

    Args:
        spatial_dims: 2 or 3; with 2, a volume is treated slice by slice: those that the network saw, however the axes
            of the file run.
        min_size: smallest size that stays, in voxels, or in mm^2 or mm^3 if ``physical``.
        connectivity: how many axes a neighbor may differ in, 1 (faces) to ``spatial_dims``.
        physical: measure in the unit of the image's affine; the mask must then be a ``MetaTensor``.
        pred_key: the mask.

    Shape:
        pred: ``(1, *spatial)``, in and out.

    Raises:
        ValueError: at construction, if an argument is out of its range; later, if ``physical`` and no spacing known.
    """

    def __init__(
        self,
        spatial_dims: int,
        min_size: float,
        connectivity: int = 1,
        physical: bool = False,
        pred_key: str = Keys.PRED,
    ) -> None:
        _check_settings(spatial_dims, min_size, connectivity)
        self.spatial_dims = spatial_dims
        self.min_size = min_size
        self.connectivity = connectivity
        self.physical = physical
        self.pred_key = pred_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Clean the mask."""
        mask = entry(data, self.pred_key, "RemoveSmallComponentsd")
        last = slice_axis(mask) if self.spatial_dims == 2 and mask.ndim == 4 else mask.ndim - 2
        voxel_size = 1.0
        if self.physical:
            if not isinstance(mask, MetaTensor):
                raise ValueError(f"physical=True needs the spacing of '{self.pred_key}', but it carries no affine")
            sizes = mask.pixdim.tolist()
            voxel_size = math.prod(sizes if self.spatial_dims == len(sizes) else sizes[:last] + sizes[last + 1 :])
        slices = mask.as_subclass(torch.Tensor).movedim(1 + last, -1)
        kept = remove_small_components(slices, self.spatial_dims, self.min_size, self.connectivity, voxel_size)
        return {**data, self.pred_key: like(kept.movedim(-1, 1 + last), mask)}


def _check_settings(spatial_dims: int, min_size: float, connectivity: int) -> None:
    check_spatial_dims(spatial_dims)
    check_at_least(0, min_size=min_size)
    check_within(f"[1, {spatial_dims}]", connectivity=connectivity)
