# SPDX-License-Identifier: Apache-2.0
"""U-Net of the denoising autoencoder: noisy image in, clean image out."""

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

from ...checks import check_divides
from .weight_standardized_conv import WeightStandardizedConv


def _level(spatial_dims: int, in_channels: int, out_channels: int, norm_groups: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in (in_channels, out_channels):
        layers += [
            WeightStandardizedConv(spatial_dims, source, out_channels),
            nn.GroupNorm(norm_groups, out_channels),
            nn.SiLU(),
        ]
    return nn.Sequential(*layers)


class DenoisingUNet(nn.Module):
    """U-Net with weight-standardized convolutions, group normalization and Swish.

    Each level has two 3x3 convolutions with mirrored borders; levels are joined by average pooling on the way down and
    by transposed convolutions and skip connections on the way up. The output is the clean image itself.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the clean image, usually ``in_channels``.
        channels: channels of each level, top first; the published network has (64, 128, 256, 512, 1024).
        norm_groups: groups of the group normalization; must divide every entry of ``channels``.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial)``; every axis a multiple of
        ``2 ** (len(channels) - 1)`` and at least twice that.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        Kascenas et al., "Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI", MIDL 2022, section 3.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (64, 128, 256, 512, 1024),
        norm_groups: int = 8,
    ) -> None:
        super().__init__()
        if len(channels) < 2:
            raise ValueError(f"channels={tuple(channels)}: at least two levels are needed.")
        check_divides(channels, "channels", norm_groups=norm_groups)
        self.size_multiple = 2 ** (len(channels) - 1)
        self.pool = Pool[Pool.AVG, spatial_dims](kernel_size=2)
        inputs = (in_channels, *channels[:-1])
        self.encoder = nn.ModuleList(
            _level(spatial_dims, source, width, norm_groups) for source, width in zip(inputs, channels, strict=True)
        )
        up = Conv[Conv.CONVTRANS, spatial_dims]
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.upsample = nn.ModuleList(up(low, high, kernel_size=2, stride=2) for low, high in pairs)
        self.decoder = nn.ModuleList(_level(spatial_dims, 2 * high, high, norm_groups) for _, high in pairs)
        self.head = Conv[Conv.CONV, spatial_dims](channels[0], out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Remove the noise from ``x``."""
        for size in x.shape[2:]:
            if size % self.size_multiple != 0 or size < 2 * self.size_multiple:
                raise ValueError(f"image of size {x.shape[2:]}: every axis must be a multiple of {self.size_multiple} "
                                 f"and at least {2 * self.size_multiple}. Change image_size or channels.")  # fmt: skip
        skips: list[Tensor] = []
        for index, level in enumerate(self.encoder):
            if index > 0:
                x = self.pool(x)
            x = level(x)
            skips.append(x)
        for index, (upsample, level) in enumerate(zip(self.upsample, self.decoder)):  # noqa: B905 TorchScript has no strict
            x = level(torch.cat([upsample(x), skips[-2 - index]], dim=1))
        return self.head(x)
