# SPDX-License-Identifier: Apache-2.0
"""Map of the network: the anomaly is what the network says it is."""

from torch import Tensor, nn

from .base import AnomalyInferer


class AnomalyMapInferer(AnomalyInferer):
    """Take the map that the network gives; there is no reconstruction of the image.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1, *spatial)``.

    Raises:
        ValueError: if an argument does not fit.

    Example:
        >>> import torch
        >>> AnomalyMapInferer(spatial_dims=2)(torch.ones(1, 1, 8, 8), nn.Identity()).shape
        torch.Size([1, 1, 8, 8])
    """

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Map ``images``."""
        anomaly_map: Tensor = network(images)
        return anomaly_map
