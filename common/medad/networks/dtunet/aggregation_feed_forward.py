# SPDX-License-Identifier: Apache-2.0
"""Dynamic aggregation feed-forward: patches see their neighbors, and the first token all of them."""

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn


class AggregationFeedForward(nn.Module):
    """Dynamic aggregation feed-forward: 1x1, depth-wise 3x3 and 1x1 convolution over the map of the patches.

    The first token is not part of the map; it is multiplied by what a squeeze-and-excitation branch makes of the mean
    over the new patches. Differs from the paper in that groups of channels of one image are normalized, not a channel
    over the batch.

    Args:
        spatial_dims: 2 or 3.
        hidden_size: channels of a token.
        mlp_ratio: channels between the convolutions, in ``hidden_size``.
        norm_groups: groups of the group normalization; must divide ``hidden_size``.

    Shape:
        ``(B, 1 + N, hidden_size)`` to the same, N the product of the grid.

    References:
        Lu et al., "Bridging the Gap Between Vision Transformers and Convolutional Neural Networks on Small Datasets",
        NeurIPS 2022, arXiv:2210.05958 (dynamic aggregation feed-forward).
    """

    def __init__(self, spatial_dims: int, hidden_size: int, mlp_ratio: int = 4, norm_groups: int = 32) -> None:
        super().__init__()
        conv, width = Conv[Conv.CONV, spatial_dims], mlp_ratio * hidden_size
        self.expand = nn.Sequential(
            conv(hidden_size, width, kernel_size=1), nn.GroupNorm(norm_groups, width), nn.GELU()
        )
        self.look_around = nn.Sequential(
            conv(width, width, kernel_size=3, padding=1, groups=width),
            nn.GroupNorm(norm_groups, width),
            nn.GELU(),
        )
        self.project = nn.Sequential(conv(width, hidden_size, kernel_size=1), nn.GroupNorm(norm_groups, hidden_size))
        self.excitation = nn.Sequential(
            nn.Linear(hidden_size, hidden_size // 4), nn.GELU(), nn.Linear(hidden_size // 4, hidden_size)
        )

    def forward(self, tokens: Tensor, grid: list[int]) -> Tensor:
        """Transform the first token and the patches, which lie on ``grid``."""
        wide = self.expand(tokens[:, 1:].transpose(1, 2).unflatten(2, grid))
        patches = self.project(wide + self.look_around(wide)).flatten(2).transpose(1, 2)
        first = tokens[:, :1] * self.excitation(patches.mean(dim=1, keepdim=True))
        return torch.cat([first, patches], dim=1)
