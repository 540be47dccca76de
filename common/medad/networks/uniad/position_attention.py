# SPDX-License-Identifier: Apache-2.0
"""Attention with position embeddings in queries and keys, under a mask.

norm(t + attention(query=t + p, key=m + p, value=m))
"""

from torch import Tensor, nn


class PositionAttention(nn.Module):
    """Attention beside a shortcut, then layer normalization; positions join queries and keys, never values.

    Args:
        hidden_size: channels of a token.
        num_heads: attention heads; must divide ``hidden_size``.
        dropout_rate: share of attention weights, and of channels beside the shortcut, left out in training.

    Shape:
        ``tokens, memory: (B, N, hidden_size)``, ``positions: (1, N, hidden_size)``, ``mask: (N, N)``, true where a
        token must not look, to ``(B, N, hidden_size)``.

    References:
        1. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762 (normalization last).
        2. Carion et al., "End-to-End Object Detection with Transformers", ECCV 2020, arXiv:2005.12872 (positions in
           every layer).
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(hidden_size, num_heads, dropout=dropout_rate, batch_first=True)
        self.dropout = nn.Dropout(dropout_rate)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, tokens: Tensor, memory: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Let ``tokens`` ask ``memory``."""
        attended, _ = self.attention(tokens + positions, memory + positions, memory, need_weights=False, attn_mask=mask)
        normalized: Tensor = self.norm(tokens + self.dropout(attended))
        return normalized
