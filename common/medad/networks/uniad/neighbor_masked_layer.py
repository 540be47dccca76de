# SPDX-License-Identifier: Apache-2.0
"""Neighbor-masked encoder layer: self-attention that does not look at near tokens."""

from torch import Tensor, nn

from .position_attention import PositionAttention
from .post_norm_feed_forward import PostNormFeedForward


class NeighborMaskedLayer(nn.Module):
    """Self-attention under a mask, then feed-forward, each normalized last.

    The mask keeps attention from copying a token; the shortcut still carries it, so that this layer alone does not
    keep a network from copying its input.

    Args:
        hidden_size: channels of a token.
        num_heads: attention heads; must divide ``hidden_size``.
        mlp_dim: channels inside the feed-forward part.
        dropout_rate: share of values left out in training.

    Shape:
        ``tokens: (B, N, hidden_size)``, ``positions: (1, N, hidden_size)``, ``mask: (N, N)``, true where a token must
        not look, to ``(B, N, hidden_size)``.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687 (neighbor masked
        encoder).
    """

    def __init__(self, hidden_size: int, num_heads: int, mlp_dim: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.attention = PositionAttention(hidden_size, num_heads, dropout_rate)
        self.feed_forward = PostNormFeedForward(hidden_size, mlp_dim, dropout_rate)

    def forward(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Transform the tokens."""
        transformed: Tensor = self.feed_forward(self.attention(tokens, tokens, positions, mask))
        return transformed
