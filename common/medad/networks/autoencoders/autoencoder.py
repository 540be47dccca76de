# SPDX-License-Identifier: Apache-2.0
"""Autoencoder with a vector code: x -> f(x) in R^d -> g(f(x)). The smaller d, the less of a lesion passes.

``min_theta E |x - g(f(x))|^2 + lambda H(Z)``: a small entropy H(Z) of the code is had by few latent units, without an
extra loss.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_at_least, check_sizes, check_spatial_dims
from .strided_convolutions import StridedDecoder, StridedEncoder


class Autoencoder(nn.Module):
    """The benchmark autoencoder: strided convolutions around two dense layers on each side of the code.

    Subclasses change the code. Where a loss needs more than the reconstruction, the result in training mode is a tuple:
    the reconstruction first, then what the loss asks for. (It leaves through ``forward``, because only what does is
    synchronized between several processes.) In evaluation mode and in TorchScript the result is the reconstruction.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the reconstruction; twice ``in_channels`` where a variance is predicted, too.
        image_size: grid of the images; the dense layers are made for it. Each entry a multiple of
            ``2 ** len(channels)``.
        channels: channels of each level, image side first.
        latent_size: numbers in the code, d.
        hidden_size: width of the dense layers.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, out_channels, *image_size)``.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    Example:
        >>> network = Autoencoder(spatial_dims=2, in_channels=1, out_channels=1, image_size=(64, 64), latent_size=16)
        >>> sum(p.numel() for p in network.parameters())
        2351184
        >>> network.eval().encode(torch.zeros(1, 1, 64, 64)).shape
        torch.Size([1, 16])

    References:
        1. Cai et al., "Rethinking Autoencoders for Medical Anomaly Detection from a Theoretical Perspective", MICCAI
           2024, arXiv:2403.09303, sections 2 and 3.
        2. Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4.
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
        multiple = 2 ** len(channels)
        check_sizes(spatial_dims, multiple, image_size=image_size)
        self.image_size = [int(size) for size in image_size]
        self.latent_size = latent_size
        grid = [size // multiple for size in self.image_size]
        self.feature_shape = [channels[-1], *grid]
        self.encoder = StridedEncoder(spatial_dims, in_channels, channels)
        self.decoder = StridedDecoder(spatial_dims, out_channels, channels)
        features = math.prod(self.feature_shape)
        self.to_code = self._dense(features, hidden_size, self.code_units())
        self.from_code = self._dense(latent_size, hidden_size, features)

    def code_units(self) -> int:
        """How many numbers the encoder gives: the latent size, unless a subclass needs more."""
        return self.latent_size

    @staticmethod
    def _dense(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        """Give the code ``(B, latent_size)`` of images ``(B, in_channels, *image_size)``."""
        if list(x.shape[2:]) != self.image_size:
            raise ValueError(f"image of size {x.shape[2:]}: the network is made for {self.image_size}. "
                             "Resize the image, or train with another image_size.")  # fmt: skip
        return self.to_code(self.encoder(x).flatten(1))

    @torch.jit.export
    def decode(self, code: Tensor) -> Tensor:
        """Give the image ``(B, out_channels, *image_size)`` of a code ``(B, latent_size)``."""
        return self.decoder(self.from_code(code).unflatten(1, self.feature_shape))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Give the reconstruction of ``x``, the same every time."""
        return self.decode(self.encode(x))

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Give what the loss needs: the reconstruction, or a tuple that begins with it."""
        return self.decode(self.encode(x))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct ``x``; in training mode see :meth:`training_outputs`."""
        if self.training and not torch.jit.is_scripting():
            return self.training_outputs(x)
        return self.reconstruct(x)
