# SPDX-License-Identifier: Apache-2.0
"""Query decoder layer: it starts from a learned query, so that it cannot copy its input."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..patch_grid import resize_grid
from .position_attention import PositionAttention
from .post_norm_feed_forward import PostNormFeedForward


class QueryDecoderLayer(nn.Module):
    """Its own query asks the encoder, then the layer before.

    Shortcuts start at the query, one learned vector per place of the grid: what a token was reaches its output only
    through attention, which a mask can close. On another grid than the learned one the query is interpolated.

    Args:
        grid: tokens along each axis, 2 or 3 axes.
        hidden_size: channels of a token.
        num_heads: attention heads; must divide ``hidden_size``.
        mlp_dim: channels inside the feed-forward part.
        dropout_rate: share of values left out in training.

    Shape:
        ``encoded, before: (B, N, hidden_size)``, ``positions: (1, N, hidden_size)``, ``mask: (N, N)``, true where a
        token must not look, to ``(B, N, hidden_size)``; N is the product of the grid asked for.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687 (layer-wise
        query decoder).
    """

    def __init__(
        self, grid: Sequence[int], hidden_size: int, num_heads: int, mlp_dim: int, dropout_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, hidden_size, *grid))
        self.encoder_attention = PositionAttention(hidden_size, num_heads, dropout_rate)
        self.layer_attention = PositionAttention(hidden_size, num_heads, dropout_rate)
        self.feed_forward = PostNormFeedForward(hidden_size, mlp_dim, dropout_rate)

    def forward(self, encoded: Tensor, before: Tensor, positions: Tensor, mask: Tensor, grid: list[int]) -> Tensor:
        """Decode the encoder's output and that of the layer before; both lie on ``grid``."""
        query = resize_grid(self.query, grid).flatten(2).transpose(1, 2).expand(encoded.shape[0], -1, -1)
        tokens = self.encoder_attention(query, encoded, positions, mask)
        decoded: Tensor = self.feed_forward(self.layer_attention(tokens, before, positions, mask))
        return decoded
