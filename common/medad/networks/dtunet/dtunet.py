# SPDX-License-Identifier: Apache-2.0
"""DTU-Net, a U-shaped vision transformer of diffusion models: noisy image in, noise (or clean image) out."""

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from monai.networks.nets import diffusion_model_unet
from monai.networks.utils import pixelshuffle
from torch import Tensor, nn

from ...checks import check_at_least, check_choice, check_divides, check_sizes, check_spatial_dims
from ..patch_grid import resize_grid
from .aggregation_feed_forward import AggregationFeedForward
from .conv_patch_embedding import ConvPatchEmbedding
from .head_token_block import HeadTokenBlock
from .token_mlp import TokenMLP
from .token_shift import TokenShift

_TIME_CONDITIONINGS = ("shift", "token")
_FEED_FORWARDS = ("aggregation", "mlp")


class DTUNet(nn.Module):
    """Transformer over the patches of an image, with long skip connections from its first to its last blocks.

    Patches come from overlapping convolutions, attention has a token per head, and the feed-forward part mixes
    neighboring patches. All blocks work on the same number of patches; the skips alone make the U. The default is what
    the authors' configuration calls DTU-Net, for 256x256: 63.11 million parameters. Their variant without convolutions
    in the feed-forward part has ``depth=12, num_heads=12, feed_forward="mlp", time_conditioning="token",
    time_channels=768``: 108.59 million.

    Differs from the published network in its group normalization in place of batch normalization: batches of one image
    can be trained, and an image does not see its batch. With ``time_conditioning="shift"`` the numbers that belong to
    the time are added behind the first normalization of a block; added before it they would be lost, since a layer
    normalization takes away what all channels have in common.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the prediction, usually ``in_channels``.
        image_size: grid of the images that are trained; what is learned per patch belongs to it.
        patch_size: edge of a patch, a power of 2.
        hidden_size: channels of a token.
        depth: number of blocks beside the one in the middle, even; half of them come before it.
        num_heads: attention heads; must divide ``hidden_size``.
        mlp_ratio: channels inside the feed-forward part, in ``hidden_size``.
        feed_forward: ``"aggregation"`` mixes neighboring patches by convolutions, ``"mlp"`` looks at each token alone.
        time_conditioning: ``"shift"`` adds one number per token in every block, and a learned class token stands before
            the patches; with ``"token"`` the time is that token, and patches have a learned position, as in U-ViT.
        time_channels: numbers in the sinusoidal embedding of the time, whose first layer is four times as wide.
        norm_groups: groups of the group normalization; must divide ``2 * hidden_size // patch_size``.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial)``; every axis a multiple of ``patch_size``. For
        another size than ``image_size`` what was learned per patch is interpolated.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        1. Kumar et al., WACV 2025, pp. 7917-7927 (DTU-Net).
        2. Lu et al., "Bridging the Gap Between Vision Transformers and Convolutional Neural Networks on Small
           Datasets", NeurIPS 2022, arXiv:2210.05958 (patch embedding, head tokens, feed-forward).
        3. Bao et al., "All are Worth Words: A ViT Backbone for Diffusion Models", CVPR 2023, arXiv:2209.12152 (long
           skip connections, time as a token).
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        image_size: Sequence[int],
        patch_size: int = 16,
        hidden_size: int = 768,
        depth: int = 6,
        num_heads: int = 6,
        mlp_ratio: int = 4,
        feed_forward: str = "aggregation",
        time_conditioning: str = "shift",
        time_channels: int = 256,
        norm_groups: int = 32,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if depth < 2 or depth % 2:
            raise ValueError(f"depth={depth}: must be even, at least 2; half of the blocks come before the middle.")
        check_divides(hidden_size, "hidden_size", num_heads=num_heads)
        check_choice(_FEED_FORWARDS, feed_forward=feed_forward)
        check_choice(_TIME_CONDITIONINGS, time_conditioning=time_conditioning)
        check_at_least(2, time_channels=time_channels)
        self.patch_embedding = ConvPatchEmbedding(spatial_dims, in_channels, hidden_size, patch_size, norm_groups)
        check_sizes(spatial_dims, patch_size, image_size=image_size)
        grid = [size // patch_size for size in image_size]
        self.spatial_dims, self.patch_size, self.time_channels = spatial_dims, patch_size, time_channels
        shifts = time_conditioning == "shift"
        time_features = 4 * time_channels if shifts else hidden_size

        def block() -> HeadTokenBlock:
            return HeadTokenBlock(
                hidden_size,
                num_heads,
                AggregationFeedForward(spatial_dims, hidden_size, mlp_ratio, norm_groups)
                if feed_forward == "aggregation"
                else TokenMLP(hidden_size, mlp_ratio),
                TokenShift(time_features, grid) if shifts else None,
            )

        self.time_embedding = nn.Sequential(
            nn.Linear(time_channels, 4 * time_channels), nn.GELU(), nn.Linear(4 * time_channels, time_features)
        )
        self.class_token = nn.Parameter(torch.zeros(hidden_size)) if shifts else None
        self.position = None if shifts else nn.Parameter(torch.zeros(1, hidden_size, *grid))
        self.in_blocks = nn.ModuleList(block() for _ in range(depth // 2))
        self.middle_block = block()
        self.skips = nn.ModuleList(nn.Linear(2 * hidden_size, hidden_size) for _ in range(depth // 2))
        self.out_blocks = nn.ModuleList(block() for _ in range(depth // 2))
        self.norm = nn.LayerNorm(hidden_size)
        self.to_pixels = nn.Linear(hidden_size, out_channels * patch_size**spatial_dims)
        self.final = Conv[Conv.CONV, spatial_dims](out_channels, out_channels, kernel_size=3, padding=1)
        self.apply(_initialize)
        for learned in (self.class_token, self.position):
            if learned is not None:
                nn.init.trunc_normal_(learned, std=0.02)

    def forward(self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """Predict from the noisy image.

        Args:
            x: ``(B, in_channels, *spatial)`` in the range [-1, 1] plus noise.
            timesteps: ``(B,)``, from 0; without them all are 0.
            context: unused, part of MONAI's calling convention.

        Returns:
            ``(B, out_channels, *spatial)``.
        """
        for size in x.shape[2:]:
            if size % self.patch_size != 0 or size < self.patch_size:
                raise ValueError(f"image of size {x.shape[2:]}: every axis must be a multiple of {self.patch_size}. "
                                 "Change image_size or patch_size.")  # fmt: skip
        if timesteps is None:
            timesteps = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        time = self.time_embedding(
            diffusion_model_unet.get_timestep_embedding(timesteps, self.time_channels).to(x.dtype)
        )
        patches = self.patch_embedding(x)
        grid = list(patches.shape[2:])
        if self.position is not None:
            patches = patches + resize_grid(self.position, grid)
        first = time.unsqueeze(1) if self.class_token is None else self.class_token.expand(x.shape[0], 1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        before: list[Tensor] = []
        for block in self.in_blocks:
            tokens = block(tokens, time, grid)
            before.append(tokens)
        tokens = self.middle_block(tokens, time, grid)
        for skip, block in zip(self.skips, self.out_blocks):  # noqa: B905 TorchScript has no strict
            tokens = block(skip(torch.cat([tokens, before.pop()], dim=2)), time, grid)
        pixels = self.to_pixels(self.norm(tokens[:, 1:])).transpose(1, 2).unflatten(2, grid)
        prediction: Tensor = self.final(pixelshuffle(pixels, self.spatial_dims, self.patch_size))
        return prediction


def _initialize(module: nn.Module) -> None:
    """Weights of dense layers as usual in vision transformers; other layers start as torch has them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
