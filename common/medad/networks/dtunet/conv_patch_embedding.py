# SPDX-License-Identifier: Apache-2.0
"""Patch embedding by overlapping convolutions, which also tell a patch where it lies."""

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn


class ChannelAffine(nn.Module):
    """Scale and shift each channel; at the start it changes nothing.

    Args:
        spatial_dims: 2 or 3.
        channels: channels of the image.

    Shape:
        ``(B, channels, *spatial)`` to the same.
    """

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__()
        shape = (1, channels, *[1] * spatial_dims)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift the channels of ``x``."""
        return x * self.weight + self.bias


class ConvPatchEmbedding(nn.Sequential):
    """Halve the grid until a point is a patch: convolution and normalization, with GELU in between.

    Kernels of 3 overlap, and their zeros outside the image mark its borders; so patches need no position embedding.
    Differs from the paper in that groups of channels of one image are normalized, not a channel over the batch; the
    convolutions have a bias, or the brightness of an image would be lost by that.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        hidden_size: channels of a patch; each convolution doubles the channels on the way there.
        patch_size: edge of a patch, a power of 2.
        norm_groups: groups of the group normalization; must divide ``2 * hidden_size // patch_size``.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, hidden_size, *[size // patch_size for size in spatial])``.

    References:
        Lu et al., "Bridging the Gap Between Vision Transformers and Convolutional Neural Networks on Small Datasets",
        NeurIPS 2022, arXiv:2210.05958 (sequential overlapping patch embedding).
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, hidden_size: int, patch_size: int, norm_groups: int = 32
    ) -> None:
        halvings = patch_size.bit_length() - 1
        if patch_size != 2**halvings or halvings < 1:
            raise ValueError(f"patch_size={patch_size}: must be a power of 2, at least 2.")
        channels = [hidden_size // 2**level for level in range(halvings)][::-1]
        if hidden_size % 2 ** (halvings - 1) or channels[0] % norm_groups:
            raise ValueError(
                f"norm_groups={norm_groups}: must divide hidden_size / {2 ** (halvings - 1)}, "
                f"the channels of the first convolution, with hidden_size={hidden_size} and patch_size={patch_size}."
            )
        layers: list[nn.Module] = [ChannelAffine(spatial_dims, in_channels)]
        for source, width in zip([in_channels, *channels[:-1]], channels, strict=True):
            conv = Conv[Conv.CONV, spatial_dims](source, width, kernel_size=3, stride=2, padding=1)
            layers += [conv, nn.GroupNorm(norm_groups, width), nn.GELU()]
        super().__init__(*layers[:-1], ChannelAffine(spatial_dims, hidden_size))
