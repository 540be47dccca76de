# SPDX-License-Identifier: Apache-2.0
"""Perceptual residual: the anomaly is what differs in the features of a frozen network."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..losses import relative_feature_difference
from .base import AnomalyInferer


class PerceptualInferer(AnomalyInferer):
    """Compare the features of an image with those of its reconstruction.

    The network has a method ``features`` beside ``forward``, such as :class:`medad.networks.PerceptualAutoencoder`.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.

    References:
        Shvetsova et al., "Anomaly Detection in Medical Imaging with Deep Perceptual Autoencoders", IEEE Access 2021,
        arXiv:2006.13265, section III.
    """

    uses_forward_only: ClassVar[bool] = False

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Reconstruct ``images`` and compare the features."""
        features: Callable[[Tensor], Tensor] = network.features  # type: ignore[assignment]  # torch: Tensor or Module
        reconstruction = network(images)
        coarse = relative_feature_difference(features(reconstruction), features(images))
        mode = "bilinear" if self.spatial_dims == 2 else "trilinear"
        anomaly_map = F.interpolate(coarse, size=images.shape[2:], mode=mode, align_corners=False)
        return torch.cat([anomaly_map, reconstruction], dim=1)
