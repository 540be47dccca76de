# SPDX-License-Identifier: Apache-2.0
"""Attention pooling: the mean over all places is the query, and attends to the places."""

from torch import Tensor, nn


class AttentionPool(nn.Module):
    """Attention over all places of a feature map, with their mean as the query.

    Differs from CLIP's pooling in that places have no embedding, which would bind the network to one size of image.

    Args:
        channels: of the features; a multiple of ``num_heads``.
        out_channels: numbers in the answer.
        num_heads: attention heads.

    Shape:
        ``(B, channels, *spatial)`` to ``(B, out_channels)``.

    References:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021,
        arXiv:2103.00020, section 2.4.
    """

    def __init__(self, channels: int, out_channels: int, num_heads: int = 1) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, num_heads, batch_first=True)
        self.out = nn.Linear(channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Answer from the features of a batch."""
        places = features.flatten(2).transpose(1, 2)
        query = places.mean(dim=1, keepdim=True)
        pooled, _ = self.attention(query, places, places, need_weights=False)
        answer: Tensor = self.out(pooled[:, 0])
        return answer
