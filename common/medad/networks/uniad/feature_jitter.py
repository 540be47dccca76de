# SPDX-License-Identifier: Apache-2.0
"""Feature jitter: noise on features while a network is trained.

f + scale * ||f|| / C * N(0, I)
"""

import torch
from torch import Tensor, nn


class FeatureJitter(nn.Module):
    """Gaussian noise as strong as the feature vector of a place is long; in evaluation mode nothing.

    Args:
        scale: noise in units of the vector's length over its number of channels.

    Shape:
        ``(B, C, *grid)`` to the same.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687 (feature
        jittering).
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Disturb the features if in training mode."""
        if not self.training:
            return features
        length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
        return features + self.scale / features.shape[1] * length * torch.randn_like(features)
