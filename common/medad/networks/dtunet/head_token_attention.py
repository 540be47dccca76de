# SPDX-License-Identifier: Apache-2.0
"""Head-interacted self-attention: a token per attention head joins the sequence."""

import torch
from monai.networks.blocks import SABlock
from torch import Tensor, nn


class HeadTokenAttention(nn.Module):
    """Multi-head self-attention over the tokens and one summary of each head.

    The token of a head is made from the mean over all tokens of the channels that this head sees. After attention the
    mean of the head tokens is added to the first token.

    Args:
        hidden_size: channels of a token.
        num_heads: attention heads; must divide ``hidden_size``.

    Shape:
        ``(B, N, hidden_size)`` to the same.

    References:
        Lu et al., "Bridging the Gap Between Vision Transformers and Convolutional Neural Networks on Small Datasets",
        NeurIPS 2022, arXiv:2210.05958 (head-interacted multi-head self-attention).
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_head_token = nn.Sequential(
            nn.Linear(hidden_size // num_heads, hidden_size), nn.LayerNorm(hidden_size), nn.GELU()
        )
        self.head_position = nn.Parameter(torch.zeros(1, num_heads, hidden_size))
        # torch's own attention: the same result without the matrix of all pairs
        self.attention = SABlock(hidden_size, num_heads, use_flash_attention=True)
        nn.init.trunc_normal_(self.head_position, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Let the tokens attend to each other."""
        count = tokens.shape[1]
        heads = self.to_head_token(tokens.mean(dim=1).unflatten(1, (self.num_heads, -1))) + self.head_position
        attended = self.attention(torch.cat([tokens, heads], dim=1))
        first, others, heads = attended[:, :1], attended[:, 1:count], attended[:, count:]
        return torch.cat([first + heads.mean(dim=1, keepdim=True), others], dim=1)
