# SPDX-License-Identifier: Apache-2.0
"""Strided encoder and decoder: convolutions of width 4 with stride 2 halve and double the grid."""

from collections.abc import Sequence
from itertools import pairwise

from monai.networks.layers.factories import Conv, Norm
from torch import nn


def _level(conv: nn.Module, spatial_dims: int, channels: int) -> nn.Sequential:
    return nn.Sequential(conv, Norm[Norm.BATCH, spatial_dims](channels), nn.ReLU())


class StridedEncoder(nn.Sequential):
    """Halve the grid and change the channels once per level: convolution, batch normalization, ReLU.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        channels: channels after each level, image side first.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, channels[-1], *[size // 2 ** len(channels) for size in spatial])``.

    References:
        Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4 (the benchmark autoencoder).
    """

    def __init__(self, spatial_dims: int, in_channels: int, channels: Sequence[int]) -> None:
        conv = Conv[Conv.CONV, spatial_dims]
        pairs = zip((in_channels, *channels[:-1]), channels, strict=True)
        super().__init__(
            *(
                _level(conv(source, width, kernel_size=4, stride=2, padding=1, bias=False), spatial_dims, width)
                for source, width in pairs
            )
        )


class StridedDecoder(nn.Sequential):
    """Double the grid once per level; the last level is a bare transposed convolution, so its output is unbounded.

    Args:
        spatial_dims: 2 or 3.
        out_channels: channels of the image.
        channels: channels of the encoder's levels, image side first.

    Shape:
        ``(B, channels[-1], *grid)`` to ``(B, out_channels, *[size * 2 ** len(channels) for size in grid])``.

    References:
        As :class:`StridedEncoder`.
    """

    def __init__(self, spatial_dims: int, out_channels: int, channels: Sequence[int]) -> None:
        conv = Conv[Conv.CONVTRANS, spatial_dims]
        deep_first = tuple(reversed(channels))
        super().__init__(
            *(
                _level(conv(source, width, kernel_size=4, stride=2, padding=1, bias=False), spatial_dims, width)
                for source, width in pairwise(deep_first)
            ),
            conv(deep_first[-1], out_channels, kernel_size=4, stride=2, padding=1, bias=False),
        )
