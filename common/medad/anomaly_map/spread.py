# SPDX-License-Identifier: Apache-2.0
"""Normative spread of a map: residuals in units of what they are in the most similar normal images, at each place."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor, nn

from ..checks import check_spatial_dims
from ..keys import Keys
from ..networks import spread_of
from .grid import entry, like

_AT_ONCE = 16


class DivideBySpreadd(Transform):
    """Divide the anomaly map of a case by its spread in normal images, see :class:`medad.networks.NormativeSpread`.

    Args:
        spatial_dims: axes of the network, 2 or 3; with 2, a volume is treated slice by slice.
        network: the network that the spread is attached to.
        image_key: the preprocessed image.
        map_key: the map.

    Shape:
        anomaly_map: ``(1, *spatial)``, in and out, on the grid of the network.

    Raises:
        ValueError: at construction, if an argument is out of range, or the network has no spread.
    """

    def __init__(
        self,
        spatial_dims: int,
        network: nn.Module,
        image_key: str = Keys.IMAGE,
        map_key: str = Keys.ANOMALY_MAP,
    ) -> None:
        check_spatial_dims(spatial_dims)
        spread = spread_of(network)
        if spread is None:
            raise ValueError("the network has no normative spread: give it one with place_network(spread=...)")
        self.spatial_dims = spatial_dims
        self.image_key = image_key
        self.map_key = map_key
        self._spread = spread

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Divide the map."""
        image, x = (entry(data, key, "DivideBySpreadd") for key in (self.image_key, self.map_key))
        images, maps = (slices_of(value.as_subclass(Tensor), self.spatial_dims) for value in (image, x))
        pairs = zip(images.split(_AT_ONCE), maps.float().split(_AT_ONCE), strict=True)
        with torch.no_grad():
            divided = torch.cat([self._spread(*pair) for pair in pairs])
        result = divided[0] if x.ndim == self.spatial_dims + 1 else divided.movedim(0, -1)
        return {**data, self.map_key: like(result, x)}


def slices_of(image: Tensor, spatial_dims: int) -> Tensor:
    """Make a batch ``(B, C, *spatial)`` of an image ``(C, *spatial)``, for a 2D network of the slices of a volume."""
    return image[None] if image.ndim == spatial_dims + 1 else image.movedim(-1, 0)
