# SPDX-License-Identifier: Apache-2.0
"""Feature pyramid: features of several levels of a network, side by side on one grid."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_sizes, check_spatial_dims
from .backbone_weights import load_backbone_weights
from .backbones import make_backbone
from .random_backbone import draw_backbone_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FeaturePyramid(nn.Module):
    """Chosen levels of a backbone, resized to one grid and concatenated; parts that are deeper than these are left out.

    Weights come from a file on this machine, or are drawn, the same in every process; nothing is ever fetched. The
    defaults are the features of UniAD. TorchScript takes every backbone but resnet18 and resnet34 of MONAI.

    Args:
        spatial_dims: spatial axes, 2 or 3.
        in_channels: channels of the images: 1, or as many as ``mean`` has entries. A single channel is repeated.
        backbone_name: network, see :func:`~.backbones.make_backbone`.
        layers: levels to use, from 0, the finest.
        feature_size: grid that all of them are resized to.
        weights: file with the weights, see :func:`~.backbone_weights.load_backbone_weights`; ``None`` draws them.
        sha256: hash that this file must have.
        mean: subtracted from each channel of the backbone's input; its length is their number.
        std: what each is divided by.

    Shape:
        ``(B, C, *spatial)`` in [0, 1] to ``(B, out_channels, *feature_size)``.

    Raises:
        InputError: if the weights are missing or do not fit, or the backbone needs a package that is not installed.
        ValueError: if arguments contradict each other; in a call, if channels or axes do not fit.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687, section 4.1.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        backbone_name: str = "efficientnet-b4",
        layers: Sequence[int] = (0, 1, 2, 3),
        feature_size: Sequence[int] = (14, 14),
        weights: str | Path | None = None,
        sha256: str | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        _check(spatial_dims, in_channels, feature_size, mean, std)
        with torch.random.fork_rng(devices=[]):  # a training draws the same numbers with every backbone
            backbone = make_backbone(backbone_name, spatial_dims, in_channels=len(mean))
            levels = len(backbone.channels)
            if not layers or len(set(layers)) < len(layers) or not set(layers) <= set(range(levels)):
                raise ValueError(f"layers={tuple(layers)}: different levels of {backbone_name}, 0 to {levels - 1}.")
            if weights is None:
                draw_backbone_weights(backbone.network.eval(), spatial_dims, in_channels=len(mean))
            else:
                load_backbone_weights(backbone, weights, sha256, unused=backbone.deeper_than(max(layers)))
            backbone.cut(max(layers))
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.backbone_name = backbone_name
        self.out_channels = sum(backbone.channels[layer] for layer in layers)
        self.layers = list(layers)
        self.feature_size = list(feature_size)
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"
        self.backbone = backbone.network.train()
        axes = [1] * spatial_dims
        self.mean: Tensor  # here, because TorchScript cannot read it as an annotation of the class
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, *axes))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, *axes))

    def levels_on_grid(self, x: Tensor) -> Tensor:
        """Give the features of images ``x``."""
        if x.ndim != self.spatial_dims + 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"images of shape {x.shape}: {self.in_channels} channels and {self.spatial_dims} spatial "
                             "axes are expected.")  # fmt: skip
        levels = self.backbone((x - self.mean) / self.std)  # repeats a single channel
        resized = [
            F.interpolate(levels[layer], size=self.feature_size, mode=self.mode, align_corners=True)
            for layer in self.layers
        ]
        return torch.cat(resized, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the features of images ``x``."""
        return self.levels_on_grid(x)


def _check(
    spatial_dims: int, in_channels: int, feature_size: Sequence[int], mean: Sequence[float], std: Sequence[float]
) -> None:
    check_spatial_dims(spatial_dims)
    check_sizes(spatial_dims, feature_size=feature_size)
    if len(std) != len(mean) or not all(value > 0 for value in std):
        raise ValueError(f"std={tuple(std)}: one positive entry for each of mean={tuple(mean)} is expected.")
    if in_channels not in (1, len(mean)):
        raise ValueError(f"in_channels={in_channels}: must be 1 or the number of entries of mean={tuple(mean)}.")
