# SPDX-License-Identifier: Apache-2.0
"""Anomaly segmentation of synthetic anomalies: a linear layer on trainable features."""

from monai.networks.layers.factories import Conv, Norm
from torch import Tensor, nn

from .feature_pyramid import FeaturePyramid


class AnomalySegmentation(nn.Module):
    """Train a backbone on normal images alone: find synthetic anomalies in them, cell by cell.

    z = w . BN(f) + b at every cell, over the features f of all levels. So little comes after the features that they
    have to tell what is normal themselves, every level of its own. The normalization makes levels count the same,
    whose scales lie orders of magnitude apart. Data come from :class:`medad.transforms.RandSyntheticAnomalyd`, the
    loss is :class:`medad.losses.CellCrossEntropy`, and the state dict of ``features.backbone`` is a file of weights for
    :class:`FrozenFeatures`. Differs from CutPaste, which tells whole images apart: here each cell has a target.

    Args:
        features: trainable images to features ``(B, F, *grid)``.

    Shape:
        ``(B, C, *spatial)`` in [0, 1] to logits ``(B, 1, *grid)``.

    References:
        Li et al., "CutPaste", CVPR 2021, arXiv:2104.04015 (features from synthetic anomalies).
    """

    def __init__(self, features: FeaturePyramid) -> None:
        super().__init__()
        self.features = features
        # the convolution scales and shifts
        self.norm = Norm["batch", features.spatial_dims](features.out_channels, affine=False)
        self.head = Conv["conv", features.spatial_dims](features.out_channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits of images ``x``."""
        logits: Tensor = self.head(self.norm(self.features(x)))
        return logits
