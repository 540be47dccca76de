# SPDX-License-Identifier: Apache-2.0
"""Diffusion U-Net: noisy image and timestep in, noise (or clean image) out."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DiffusionModelUNet
from torch import Tensor

from ...checks import check_divides, check_spatial_dims


class DiffusionUNet(DiffusionModelUNet):
    """MONAI's diffusion U-Net, given by the number of attention heads, with a default timestep and checked sizes.

    The published network of AnoDDPM at 256x256 is ``channels=(128, 128, 256, 256, 512, 512)`` with attention on the
    last three levels, two residual blocks, two heads and ``resblock_updown=True``: 131.65 million parameters.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the prediction, usually ``in_channels``.
        channels: channels of each level, image side first; multiples of ``norm_groups``.
        attention_levels: which levels have self-attention, one truth value per level.
        num_res_blocks: residual blocks on each level.
        num_heads: attention heads; must divide the channels of the levels with attention and of the last level.
        norm_groups: groups of the group normalization.
        resblock_updown: whether residual blocks change the resolution, not plain convolutions.
        kwargs: further arguments of MONAI's network.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial)``; every axis a multiple of
        ``2 ** (len(channels) - 1)``.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        1. Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021, arXiv:2105.05233,
           section 3.
        2. Wyatt et al., "AnoDDPM: Anomaly Detection with Denoising Diffusion Probabilistic Models using Simplex Noise",
           CVPR Workshops 2022.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (128, 128, 256, 256, 512, 512),
        attention_levels: Sequence[bool] = (False, False, False, True, True, True),
        num_res_blocks: int = 2,
        num_heads: int = 2,
        norm_groups: int = 32,
        resblock_updown: bool = True,
        **kwargs: Any,
    ) -> None:
        check_spatial_dims(spatial_dims)
        if len(attention_levels) != len(channels):
            raise ValueError(
                f"attention_levels={list(attention_levels)}: one for each of the {len(channels)} levels is expected."
            )
        check_divides(channels, "channels", norm_groups=norm_groups)
        attending = [width for width, attends in zip(channels, attention_levels, strict=True) if attends]
        if any(width % num_heads for width in [*attending, channels[-1]]):
            raise ValueError(f"num_heads={num_heads}: must divide the channels of every level with attention.")
        super().__init__(
            spatial_dims=spatial_dims,
            in_channels=in_channels,
            out_channels=out_channels,
            channels=tuple(channels),
            attention_levels=tuple(attention_levels),
            num_res_blocks=num_res_blocks,
            num_head_channels=tuple(max(1, width // num_heads) for width in channels),
            norm_num_groups=norm_groups,
            resblock_updown=resblock_updown,
            use_flash_attention=True,  # torch's own attention: the same result without the matrix of all pairs
            **kwargs,
        )
        self.size_multiple = 2 ** (len(channels) - 1)

    def forward(  # type: ignore[override]  # MONAI has no default timestep
        self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Predict from the noisy image.

        Args:
            x: ``(B, in_channels, *spatial)`` in the range [-1, 1] plus noise.
            timesteps: ``(B,)``, from 0; without them all are 0.
            context: condition of MONAI's network, where it has one.
            kwargs: further arguments of MONAI's network.

        Returns:
            ``(B, out_channels, *spatial)``.
        """
        if any(size % self.size_multiple for size in x.shape[2:]):
            raise ValueError(
                f"image of size {tuple(x.shape[2:])}: every axis must be a multiple of {self.size_multiple}. "
                "Change image_size or channels."
            )
        if timesteps is None:
            timesteps = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        prediction: Tensor = super().forward(x, timesteps, context, **kwargs)
        return prediction
