# SPDX-License-Identifier: Apache-2.0
"""Restoration: A(x) = sqrt(p |h|), probability p of a lesion and mean |h| over channels of what would heal it."""

import torch
from torch import Tensor, nn

from .base import AnomalyInferer


class RestorationInferer(AnomalyInferer):
    """Take what the network would both call a lesion and change.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        mirror: whether map and healed image are means with those of the image mirrored along its first axis, which
            takes twice as long.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the healed image. The network gives ``(B, 1 + C, *spatial)``, see
        :class:`medad.networks.RestorationUNet`.

    Raises:
        ValueError: if an argument does not fit.
    """

    def __init__(self, spatial_dims: int, mirror: bool = False, slice_batch_size: int = 32) -> None:
        super().__init__(spatial_dims, slice_batch_size)
        self.mirror = mirror

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Find and heal lesions in ``images``."""
        result = self._healed(images, network)
        if self.mirror:
            result = (result + self._healed(images.flip(2), network).flip(2)) / 2
        return result

    def _healed(self, images: Tensor, network: nn.Module) -> Tensor:
        prediction = network(images)
        logit, change = prediction[:, :1], prediction[:, 1:]
        anomaly_map = (torch.sigmoid(logit) * change.abs().mean(dim=1, keepdim=True)).sqrt()
        return torch.cat([anomaly_map, images + change], dim=1)
