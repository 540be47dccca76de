# SPDX-License-Identifier: Apache-2.0
"""Post-norm feed-forward: two layers beside a shortcut, then layer normalization.

norm(t + linear(relu(linear(t))))
"""

from monai.networks.blocks import MLPBlock
from torch import Tensor, nn


class PostNormFeedForward(nn.Module):
    """MONAI's two-layer perceptron with ReLU beside a shortcut, then layer normalization.

    Args:
        hidden_size: channels of a token.
        mlp_dim: channels between the two layers.
        dropout_rate: share of channels left out in training, after each layer.

    Shape:
        ``(B, N, hidden_size)`` to the same.

    References:
        Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762 (section 3.3).
    """

    def __init__(self, hidden_size: int, mlp_dim: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.mlp = MLPBlock(hidden_size, mlp_dim, dropout_rate, act="RELU")
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform each token alone."""
        normalized: Tensor = self.norm(tokens + self.mlp(tokens))
        return normalized
