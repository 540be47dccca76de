# SPDX-License-Identifier: Apache-2.0
"""Spatial autoencoder: the code is a vector of d numbers at every point of the coarsest grid."""

import math
from collections.abc import Sequence

from monai.networks.layers.factories import Conv, Norm
from torch import Tensor, nn

from ...checks import check_at_least, check_sizes, check_spatial_dims
from .strided_convolutions import StridedDecoder, StridedEncoder


class SpatialAutoencoder(nn.Module):
    """Autoencoder with 1x1 convolutions in place of dense layers (AE-Spatial).

    Its ``latent_size`` cannot be compared with that of :class:`Autoencoder`: the code has ``code_size`` numbers,
    ``latent_size`` at each point of the grid. Any image size that the levels divide will do.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the reconstruction.
        image_size: grid of the images that ``code_size`` counts for.
        channels: channels of each level, image side first.
        latent_size: numbers at each point of the coarsest grid.
        hidden_size: channels of the 1x1 convolutions.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial)``; every axis a multiple of
        ``2 ** len(channels)``.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    Example:
        >>> SpatialAutoencoder(2, 1, 1, image_size=(64, 64), latent_size=16).code_size
        256

    References:
        Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        image_size: Sequence[int],
        channels: Sequence[int] = (16, 32, 64, 64),
        latent_size: int = 16,
        hidden_size: int = 1024,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, latent_size=latent_size)
        check_sizes(spatial_dims, 2 ** len(channels), image_size=image_size)
        self.size_multiple = 2 ** len(channels)
        self.code_size = latent_size * math.prod(size // self.size_multiple for size in image_size)
        self.encoder = StridedEncoder(spatial_dims, in_channels, channels)
        self.decoder = StridedDecoder(spatial_dims, out_channels, channels)
        conv, norm = Conv[Conv.CONV, spatial_dims], Norm[Norm.BATCH, spatial_dims]

        def pointwise(inputs: int, outputs: int) -> nn.Sequential:
            widen, narrow = conv(inputs, hidden_size, 1), conv(hidden_size, outputs, 1)
            return nn.Sequential(widen, norm(hidden_size), nn.ReLU(), narrow)

        self.to_code = pointwise(channels[-1], latent_size)
        self.from_code = pointwise(latent_size, channels[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct ``x``."""
        for size in x.shape[2:]:
            if size % self.size_multiple != 0:
                raise ValueError(f"image of size {x.shape[2:]}: every axis must be a multiple of {self.size_multiple}. "
                                 "Change image_size or channels.")  # fmt: skip
        return self.decoder(self.from_code(self.to_code(self.encoder(x))))
