# SPDX-License-Identifier: Apache-2.0
"""Restoration U-Net: an image in; where a lesion is, and what would heal it, out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..autoencoders.denoising_unet import DenoisingUNet


class RestorationUNet(nn.Module):
    """U-Net at half the resolution: blocks of pixels become channels before it, and pixels again behind it.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image and of whatever the network is told beside.
        out_channels: channels of the image.
        channels: channels of each level, top first.
        norm_groups: groups of the group normalization; must divide every entry of ``channels``.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, 1 + out_channels, *spatial)``: logit of a lesion, then what has to be
        added to the image. Every axis is a multiple of ``2 ** len(channels)`` and at least twice that.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
        Network", CVPR 2016, arXiv:1609.05158, section 2.2 (blocks of pixels as channels).
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (32, 64, 128, 128),
        norm_groups: int = 8,
    ) -> None:
        super().__init__()
        block = 2**spatial_dims
        self.unet = DenoisingUNet(spatial_dims, block * in_channels, block * (1 + out_channels), channels, norm_groups)
        self.size_multiple = 2 * self.unet.size_multiple

    def forward(self, images: Tensor) -> Tensor:
        """Find and heal lesions."""
        for size in images.shape[2:]:
            if size % self.size_multiple != 0 or size < 2 * self.size_multiple:
                raise ValueError(f"image of size {images.shape[2:]}: every axis must be a multiple of "
                                 f"{self.size_multiple} and at least {2 * self.size_multiple}. "
                                 "Change image_size or channels.")  # fmt: skip
        return channels_to_blocks(self.unet(blocks_to_channels(images)))


def blocks_to_channels(images: Tensor) -> Tensor:
    """Make each block of 2 pixels along every axis one pixel of ``2 ** D`` times the channels."""
    for axis in range(2, images.ndim):
        images = torch.cat(images.unflatten(axis, [-1, 2]).unbind(axis + 1), dim=1)
    return images


def channels_to_blocks(images: Tensor) -> Tensor:
    """Make the blocks pixels again, the inverse of :func:`blocks_to_channels`."""
    for axis in range(images.ndim - 1, 1, -1):
        images = torch.stack(images.chunk(2, dim=1), dim=axis + 1).flatten(axis, axis + 1)
    return images
