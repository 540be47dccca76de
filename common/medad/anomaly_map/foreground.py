# SPDX-License-Identifier: Apache-2.0
"""Keep the anomaly map inside the object: erode its mask, and set the map to 0 outside."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..keys import Keys
from .grid import check_map, check_spatial_dims, entry, like, on_grid_of, plain


def erode(mask: torch.Tensor, iterations: int, spatial_dims: int) -> torch.Tensor:
    """Peel off the outermost voxels of a mask, ``iterations`` times.

    A voxel stays while all its face neighbors are set (min-pooling over the cross-shaped neighborhood, as
    ``scipy.ndimage.binary_erosion`` does by default). The image border is no edge of the object: nothing is peeled off
    there. Runs where the mask lies.

    Args:
        mask: 0/1 mask ``(1, *spatial)``; with ``spatial_dims=2`` also a volume, eroded within its slices.
        iterations: how many layers of voxels go, at least 0.
        spatial_dims: 2 or 3.

    Returns:
        Boolean mask ``(1, *spatial)``.

    Raises:
        ValueError: if an argument is out of its range or a shape does not fit.
    """
    check_map(mask, spatial_dims)
    _check_iterations("iterations", iterations)
    inside = (plain(mask) > 0).clone()
    for _ in range(iterations):
        before = inside
        inside = before.clone()
        for axis in range(1, 1 + spatial_dims):
            size = before.shape[axis]
            inside.narrow(axis, 1, size - 1).logical_and_(before.narrow(axis, 0, size - 1))
            inside.narrow(axis, 0, size - 1).logical_and_(before.narrow(axis, 1, size - 1))
    return inside


class MaskForegroundd(Transform):
    """Set the anomaly map to 0 outside the eroded foreground, keep that foreground, and leave the background as it was.

    Reconstructions blur the edge of the object; the erosion takes that rim out of the map. The eroded mask replaces the
    foreground of the case, because score, calibration and mask must know where the map is defined. A network that was
    trained on the foreground says nothing about the rest: there the pseudo-healthy image, if any, is the image itself.

    Args:
        spatial_dims: 2 or 3; with 2, a volume is eroded within its slices.
        erosion: layers of voxels peeled off, at least 0.
        map_key: the map.
        foreground_key: the mask.
        reconstruction_key: the pseudo-healthy image; a case without one is fine.
        image_key: the image that it belongs to.

    Shape:
        anomaly_map: ``(1, *spatial)``; foreground: ``(1, *spatial)``, uint8.

    Raises:
        ValueError: at construction, if an argument is out of its range.
        KeyError: if the case has no foreground.
    """

    def __init__(
        self,
        spatial_dims: int,
        erosion: int = 0,
        map_key: str = Keys.ANOMALY_MAP,
        foreground_key: str = Keys.FOREGROUND,
        reconstruction_key: str = Keys.RECONSTRUCTION,
        image_key: str = Keys.IMAGE,
    ) -> None:
        check_spatial_dims(spatial_dims)
        _check_iterations("erosion", erosion)
        self.spatial_dims = spatial_dims
        self.erosion = erosion
        self.map_key = map_key
        self.foreground_key = foreground_key
        self.reconstruction_key = reconstruction_key
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Mask the map."""
        x: torch.Tensor = entry(data, self.map_key, "MaskForegroundd")
        foreground: torch.Tensor = entry(data, self.foreground_key, "MaskForegroundd")
        check_map(x, self.spatial_dims)
        whole = on_grid_of(foreground, x)
        inside = erode(whole, self.erosion, self.spatial_dims)
        masked = plain(x).masked_fill(~inside, 0.0)
        case = {**data, self.map_key: like(masked, x), self.foreground_key: like(inside.to(torch.uint8), foreground)}
        if self.reconstruction_key in data and self.image_key in data:
            reconstruction, image = data[self.reconstruction_key], data[self.image_key]
            case[self.reconstruction_key] = like(
                torch.where(whole, plain(reconstruction), plain(image)), reconstruction
            )
        return case


def _check_iterations(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {value}")
