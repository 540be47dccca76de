# SPDX-License-Identifier: Apache-2.0
"""Foreground of a map: the mask of the object is eroded, and the map is 0 outside."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..checks import check_at_least, check_channel_first, check_spatial_dims
from ..keys import Keys
from ..morphology import erode
from .grid import entry, like, on_grid_of


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
        check_at_least(0, erosion=erosion)
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
        check_channel_first(x, self.spatial_dims)
        whole = on_grid_of(foreground, x)
        inside = erode(whole, self.erosion, self.spatial_dims)
        masked = x.as_subclass(torch.Tensor).masked_fill(~inside, 0.0)
        case = {**data, self.map_key: like(masked, x), self.foreground_key: like(inside.to(torch.uint8), foreground)}
        if self.reconstruction_key in data and self.image_key in data:
            reconstruction, image = data[self.reconstruction_key], data[self.image_key]
            case[self.reconstruction_key] = like(
                torch.where(whole, reconstruction.as_subclass(torch.Tensor), image.as_subclass(torch.Tensor)),
                reconstruction,
            )
        return case
