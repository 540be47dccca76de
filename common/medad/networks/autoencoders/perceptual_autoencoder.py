# SPDX-License-Identifier: Apache-2.0
"""Perceptual autoencoder (AE-PL): with the frozen network in whose features it is judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from .autoencoder import Autoencoder
from .vgg19_features import VGG19Features


class PerceptualAutoencoder(Autoencoder):
    """The benchmark autoencoder beside a frozen VGG19; ``model.pt`` holds both.

    In training mode the result is ``(reconstruction, features of it, features of the image)``. Each feature is
    normalized by its mean and standard deviation over the normal images of the training, gathered while it trains (in
    several processes, over those of the first). The benchmark takes statistics of ImageNet from a file, and divides by
    the variance.

    Args:
        spatial_dims: 2; VGG19 is a 2D network. Volumes go through it slice by slice.
        in_channels: channels of the image, 1 or 3.
        out_channels: channels of the reconstruction, as ``in_channels``.
        image_size: grid of the images.
        channels: channels of each level, image side first.
        latent_size: numbers in the code.
        hidden_size: width of the dense layers.
        vgg_path: file with torchvision's VGG19 weights; needed for training, later ``model.pt`` has them.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, out_channels, *image_size)``.

    Raises:
        InputError: if 3D or other channels are asked for, if the weights do not fit, or in training without weights.

    References:
        1. Shvetsova et al., "Anomaly Detection in Medical Imaging with Deep Perceptual Autoencoders", IEEE Access 2021,
           arXiv:2006.13265, section III.
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
        vgg_path: str | Path | None = None,
    ) -> None:
        if spatial_dims != 2 or in_channels not in (1, 3) or out_channels != in_channels:
            raise InputError(
                f"spatial_dims={spatial_dims}, in_channels={in_channels}, out_channels={out_channels}",
                where="PerceptualAutoencoder",
                expected="2 spatial axes and 1 or 3 channels, since VGG19 judges the images",
                remedy="Leave out volume_3d.json (volumes are processed slice by slice), or take another variant.",
            )
        super().__init__(spatial_dims, in_channels, out_channels, image_size, channels, latent_size, hidden_size)
        self.vgg = VGG19Features(vgg_path)
        # momentum None: the mean over all batches seen
        self.statistics = nn.BatchNorm2d(self.vgg.out_channels, affine=False, momentum=None)

    @torch.jit.export
    def features(self, x: Tensor) -> Tensor:
        """Give the normalized features ``(B, 512, H // 8, W // 8)`` of images ``(B, C, H, W)``."""
        raw = self.vgg(x)
        return nn.functional.batch_norm(
            raw, self.statistics.running_mean, self.statistics.running_var, None, None, False, 0.0, 1e-5
        )

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Give the reconstruction, its features and those of the image; take the latter into the statistics."""
        if not self.vgg.has_weights:
            raise InputError(
                "no weights of VGG19 given",
                where="PerceptualAutoencoder",
                expected="the file of torchvision's VGG19 on this machine",
                remedy="Give --vgg_path; fetch vgg19-dcbb9e9d.pth from PyTorch's model hub once.",
            )
        reconstruction = self.decode(self.encode(x))
        with torch.no_grad():
            self.statistics(self.vgg(x))
        return reconstruction, self.features(reconstruction), self.features(x)
