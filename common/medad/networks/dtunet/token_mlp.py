# SPDX-License-Identifier: Apache-2.0
"""Token-wise perceptron: the feed-forward part of a transformer that looks at each token alone."""

from monai.networks.blocks import MLPBlock
from torch import Tensor, nn


class TokenMLP(nn.Module):
    """MONAI's two-layer perceptron, in the place of :class:`AggregationFeedForward`.

    Args:
        hidden_size: channels of a token.
        mlp_ratio: channels between the layers, in ``hidden_size``.

    Shape:
        ``(B, 1 + N, hidden_size)`` to the same.
    """

    def __init__(self, hidden_size: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.mlp = MLPBlock(hidden_size, mlp_ratio * hidden_size)

    def forward(self, tokens: Tensor, grid: list[int]) -> Tensor:
        """Transform each token; ``grid`` is not asked for."""
        transformed: Tensor = self.mlp(tokens)
        return transformed
