# SPDX-License-Identifier: Apache-2.0
"""Classifier of noisy images: noisy image and timestep in, logits of the classes out."""

from collections.abc import Sequence

import torch
from monai.networks.nets import diffusion_model_unet
from torch import Tensor, nn

from ...checks import check_divides, check_spatial_dims
from .attention_pool import AttentionPool


class DiffusionClassifier(diffusion_model_unet.DiffusionModelEncoder):
    """The encoder half of a diffusion U-Net with an attention pool, for images of any size.

    MONAI's ``DiffusionModelEncoder`` ends in dense layers for one size of image; here the features of the last level
    are normalized and pooled by attention, as in the classifier of Dhariwal and Nichol.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        num_classes: numbers in the answer.
        channels: channels of each level, image side first; multiples of ``norm_groups``.
        attention_levels: which levels have self-attention, one truth value per level.
        num_res_blocks: residual blocks on each level.
        head_channels: channels of an attention head; levels with fewer channels have one head.
        norm_groups: groups of the group normalization.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, num_classes)``; every axis at least ``2 ** len(channels)``, since each
        level ends at half the resolution.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        1. Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021, arXiv:2105.05233,
           section 4.
        2. Wolleb et al., "Diffusion Models for Medical Anomaly Detection", MICCAI 2022, arXiv:2203.04306, section 2.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        num_classes: int = 2,
        channels: Sequence[int] = (32, 32, 64, 64, 128, 128),
        attention_levels: Sequence[bool] = (False, False, False, True, True, True),
        num_res_blocks: int = 4,
        head_channels: int = 64,
        norm_groups: int = 32,
    ) -> None:
        check_spatial_dims(spatial_dims)
        if len(attention_levels) != len(channels):
            raise ValueError(
                f"attention_levels={list(attention_levels)}: one for each of the {len(channels)} levels is expected."
            )
        check_divides(channels, "channels", norm_groups=norm_groups)
        if any(width > head_channels and width % head_channels for width in channels):
            raise ValueError(f"head_channels={head_channels}: must divide all wider entries of {list(channels)}.")
        super().__init__(
            spatial_dims=spatial_dims,
            in_channels=in_channels,
            out_channels=num_classes,
            input_shape=(1,) * spatial_dims,  # of MONAI's dense layers, which are replaced below
            num_res_blocks=num_res_blocks,
            channels=tuple(channels),
            attention_levels=tuple(attention_levels),
            norm_num_groups=norm_groups,
            resblock_updown=True,
            num_head_channels=tuple(min(width, head_channels) for width in channels),
            use_flash_attention=True,  # torch's own attention: the same result without the matrix of all pairs
        )
        self.out = nn.Sequential(
            nn.GroupNorm(norm_groups, channels[-1], eps=1e-6),
            nn.SiLU(),
            AttentionPool(channels[-1], num_classes, num_heads=max(1, channels[-1] // head_channels)),
        )
        self.smallest_size = 2 ** len(channels)

    def forward(  # type: ignore[override]  # MONAI has no default timestep
        self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Classify noisy images.

        Args:
            x: ``(B, in_channels, *spatial)`` in the range [-1, 1] plus noise.
            timesteps: ``(B,)``, from 0; without them all are 0.
            context: unused, part of MONAI's calling convention.

        Returns:
            Logits ``(B, num_classes)``.
        """
        if min(x.shape[2:]) < self.smallest_size:
            raise ValueError(
                f"image of size {tuple(x.shape[2:])}: every axis must be at least {self.smallest_size}. "
                "Change image_size or classifier_channels."
            )
        if timesteps is None:
            timesteps = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        time = self.time_embed(
            diffusion_model_unet.get_timestep_embedding(timesteps, self.block_out_channels[0]).to(x.dtype)
        )
        features = self.conv_in(x)
        for level in self.down_blocks:
            features, _ = level(hidden_states=features, temb=time)
        logits: Tensor = self.out(features)
        return logits
