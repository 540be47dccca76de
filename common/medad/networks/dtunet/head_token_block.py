# SPDX-License-Identifier: Apache-2.0
"""Transformer block with head tokens: attention, then feed-forward, each beside a shortcut."""

from torch import Tensor, nn

from .head_token_attention import HeadTokenAttention


class HeadTokenBlock(nn.Module):
    """x + attention(norm(x) + shift(time)), then x + feed_forward(norm(x)).

    The shift by the time stands behind the normalization, which takes away whatever is added to all channels of a
    token, and would take the time away, too.

    Args:
        hidden_size: channels of a token.
        num_heads: attention heads; must divide ``hidden_size``.
        feed_forward: called with the tokens and the grid of the patches.
        shift: called with the time and the grid of the patches; by default the time is left out.

    Shape:
        ``(B, 1 + N, hidden_size)`` to the same.
    """

    def __init__(
        self, hidden_size: int, num_heads: int, feed_forward: nn.Module, shift: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.attention = HeadTokenAttention(hidden_size, num_heads)
        self.feed_forward_norm = nn.LayerNorm(hidden_size)
        self.feed_forward = feed_forward
        self.shift = shift

    def forward(self, tokens: Tensor, time: Tensor, grid: list[int]) -> Tensor:
        """Transform the tokens at a time; the patches among them lie on ``grid``."""
        normalized = self.attention_norm(tokens)
        if self.shift is not None:
            normalized = normalized + self.shift(time, grid)
        tokens = tokens + self.attention(normalized)
        return tokens + self.feed_forward(self.feed_forward_norm(tokens), grid)
