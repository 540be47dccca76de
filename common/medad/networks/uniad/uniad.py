# SPDX-License-Identifier: Apache-2.0
"""UniAD: a transformer that rebuilds frozen features and cannot copy them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_at_least, check_divides, check_odd, check_sizes, check_spatial_dims, check_within
from .factorized_position import FactorizedPosition
from .feature_jitter import FeatureJitter
from .neighbor_mask import neighbor_mask
from .neighbor_masked_layer import NeighborMaskedLayer
from .query_decoder_layer import QueryDecoderLayer


class UniAD(nn.Module):
    """Reconstruct the feature vector of each place from places that are not its neighbors.

    A transformer without these three means learns to hand its input through, anomalies included: attention is blocked
    to a token and its neighbors, every decoder layer starts from a query of its own, and in training the features are
    disturbed. The loss compares with the undisturbed features. The default is the published size, for 272 channels of
    an EfficientNet-b4 on a grid of 14x14: 7.72 million parameters.

    Differs from the published network in that it takes other grids than the trained one, by interpolation, and volumes.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the features.
        feature_size: grid of the features that are trained; queries and positions belong to it.
        hidden_size: channels of a token.
        num_layers: layers of the encoder, and as many of the decoder.
        num_heads: attention heads; must divide ``hidden_size``.
        mlp_dim: channels inside the feed-forward parts.
        neighbor_size: width of the window around a token that it does not see, odd; one number or one per axis.
        dropout_rate: share of values left out in training.
        jitter_scale: noise in training, in units of a feature vector's length over ``in_channels``.

    Shape:
        ``(B, in_channels, *grid)`` to the same; the grid must not fit into the window of neighbors.

    Raises:
        ValueError: if an argument or the shape of the features does not fit.

    Example:
        >>> import torch
        >>> network = UniAD(2, 8, (6, 6), hidden_size=16, num_layers=1, num_heads=2, mlp_dim=32, neighbor_size=3)
        >>> network(torch.rand(1, 8, 6, 6)).shape
        torch.Size([1, 8, 6, 6])

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int = 272,
        feature_size: Sequence[int] = (14, 14),
        hidden_size: int = 256,
        num_layers: int = 4,
        num_heads: int = 8,
        mlp_dim: int = 1024,
        neighbor_size: int | Sequence[int] = 7,
        dropout_rate: float = 0.1,
        jitter_scale: float = 20.0,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, in_channels=in_channels)
        check_sizes(spatial_dims, feature_size=feature_size)
        check_divides(hidden_size, "hidden_size", num_heads=num_heads)
        check_at_least(spatial_dims, hidden_size=hidden_size)  # every axis needs a channel for its position
        check_at_least(1, num_layers=num_layers, mlp_dim=mlp_dim)
        window = [neighbor_size] * spatial_dims if isinstance(neighbor_size, int) else list(neighbor_size)
        check_sizes(spatial_dims, neighbor_size=window)
        for width in window:
            check_odd(neighbor_size=width)
        check_within("[0, 1)", dropout_rate=dropout_rate)
        check_at_least(0, jitter_scale=jitter_scale)
        self.spatial_dims, self.in_channels = spatial_dims, in_channels
        self.mask: Tensor
        self.feature_size, self.window = list(feature_size), window
        # not learned, and yet in the state dict: weights belong to the window that they were trained with. As numbers,
        # because federated learning takes differences of all entries
        self.register_buffer("mask", neighbor_mask(self.feature_size, window).to(torch.uint8))
        self.register_load_state_dict_pre_hook(_require_same_window)
        self.jitter = FeatureJitter(jitter_scale)
        self.to_tokens = nn.Linear(in_channels, hidden_size)
        self.position = FactorizedPosition(feature_size, hidden_size)
        self.encoder = nn.ModuleList(
            NeighborMaskedLayer(hidden_size, num_heads, mlp_dim, dropout_rate) for _ in range(num_layers)
        )
        self.decoder = nn.ModuleList(
            QueryDecoderLayer(feature_size, hidden_size, num_heads, mlp_dim, dropout_rate) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.to_features = nn.Linear(hidden_size, in_channels)
        self.apply(_initialize)

    def forward(self, features: Tensor) -> Tensor:
        """Reconstruct the features.

        Args:
            features: ``(B, in_channels, *grid)``.

        Returns:
            ``(B, in_channels, *grid)``.
        """
        if features.ndim != self.spatial_dims + 2 or features.shape[1] != self.in_channels:
            raise ValueError(f"features of shape {features.shape}: must have a batch, {self.in_channels} channels and "
                             f"{self.spatial_dims} spatial axes.")  # fmt: skip
        grid = list(features.shape[2:])
        known = grid == self.feature_size
        mask = self.mask > 0 if known else neighbor_mask(grid, self.window).to(features.device)
        positions = self.position(grid)
        tokens = self.to_tokens(self.jitter(features).flatten(2).transpose(1, 2))
        for layer in self.encoder:
            tokens = layer(tokens, positions, mask)
        decoded = tokens
        for layer in self.decoder:
            decoded = layer(tokens, decoded, positions, mask, grid)
        reconstruction: Tensor = self.to_features(self.norm(decoded)).transpose(1, 2).unflatten(2, grid)
        return reconstruction


def _require_same_window(
    module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any, _strict: bool, _missing: list[str],
    _unexpected: list[str], errors: list[str],
) -> None:  # fmt: skip
    """Refuse weights of another neighbor_size, which have the shapes of this one."""
    assert isinstance(module, UniAD)
    mask = state.get(f"{prefix}mask")
    if mask is not None and mask.shape == module.mask.shape and not torch.equal(mask.cpu(), module.mask.cpu()):
        errors.append(f"weights of another neighbor_size than {module.window}")


def _initialize(module: nn.Module) -> None:
    """Weights of dense layers as published; the projections inside attention start so by themselves."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
