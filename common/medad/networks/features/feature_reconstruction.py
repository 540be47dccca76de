# SPDX-License-Identifier: Apache-2.0
"""Feature reconstruction: A = ||f - g(f)||_2 at every place, f the features of an image."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .frozen_features import FrozenFeatures


class FeatureReconstruction(nn.Module):
    """Frozen features and the network that rebuilds them, as one network from images to anomaly maps.

    Only the reconstruction is learned. Its loss is :class:`medad.losses.FeatureReconstructionLoss`.

    Args:
        features: images to features, never trained.
        reconstruction: features ``(B, F, *grid)`` to the same, such as :class:`UniAD`.

    Shape:
        ``(B, C, *spatial)`` to the map ``(B, 1, *spatial)``, at least 0, interpolated from the grid of the features. In
        training mode images, or their features ``(B, F, *grid)`` where those are kept, to the reconstructed features
        and the true ones, each ``(B, F, *grid)``.

    Raises:
        InputError: in a training on features that are random, and were not asked to be.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687.
    """

    def __init__(self, features: FrozenFeatures, reconstruction: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.reconstruction = reconstruction
        self.mode = "bilinear" if features.spatial_dims == 2 else "trilinear"

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Give what the loss needs: the reconstructed features, and those of the image."""
        self.features.require_weights()
        of_images = x.shape[1] == self.features.in_channels
        features = self.features(x) if of_images else x
        return self.reconstruction(features), features

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Give the map ``(B, 1, *spatial)`` of images ``x``."""
        features = self.features(x)
        distance = torch.linalg.vector_norm(self.reconstruction(features) - features, dim=1, keepdim=True)
        return F.interpolate(distance, size=x.shape[2:], mode=self.mode, align_corners=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map the anomalies of ``x``; in training mode see :meth:`training_outputs`."""
        if self.training and not torch.jit.is_scripting():
            return self.training_outputs(x)
        return self.anomaly_map(x)
