# SPDX-License-Identifier: Apache-2.0
"""Memory-augmented autoencoder: the code is a sparse mixture of a few learned vectors.

w = softmax(z M^T);  w_hat = w where w > lambda, else 0, divided by its sum;  z_hat = w_hat M
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_at_least
from .autoencoder import Autoencoder


class Memory(nn.Module):
    """Replace a vector by a sparse mixture of learned vectors.

    Args:
        slots: learned vectors.
        size: length of each.
        shrink: weights below it become 0.

    Shape:
        ``(B, size)`` to ``(B, size)`` and the weights ``(B, slots)``, at least 0 with sum 1.

    References:
        Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019, arXiv:1904.02639, equations 3, 4 and 7.
    """

    def __init__(self, slots: int, size: int, shrink: float) -> None:
        super().__init__()
        check_at_least(1, memory_size=slots)
        if not 0 <= shrink < 1 / slots:
            raise ValueError(f"shrink={shrink}: must lie in [0, {1 / slots:g}), or equal weights would all become 0.")
        self.shrink = shrink
        bound = 1 / math.sqrt(size)
        self.vectors = nn.Parameter(torch.empty(slots, size).uniform_(-bound, bound))

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Mix."""
        weights = torch.softmax(code @ self.vectors.t(), dim=1)
        weights = weights * (weights > self.shrink)
        weights = weights / weights.sum(dim=1, keepdim=True)
        return weights @ self.vectors, weights


class MemoryAutoencoder(Autoencoder):
    """The benchmark autoencoder with a memory between encoder and decoder (MemAE).

    In training mode the result is ``(reconstruction, weights of the memory)``.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the reconstruction.
        image_size: grid of the images.
        channels: channels of each level, image side first.
        latent_size: numbers in the code.
        hidden_size: width of the dense layers.
        memory_size: learned vectors.
        shrink: weights below it become 0.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, out_channels, *image_size)``.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        1. Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019, arXiv:1904.02639, section 3.
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
        memory_size: int = 25,
        shrink: float = 0.0025,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, image_size, channels, latent_size, hidden_size)
        self.memory = Memory(memory_size, latent_size, shrink)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode what the memory makes of the code."""
        return self.decode(self.memory(self.encode(x))[0])

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Give the reconstruction and the weights of the memory."""
        code, weights = self.memory(self.encode(x))
        return self.decode(code), weights
