# SPDX-License-Identifier: Apache-2.0
"""Parts that several networks are made of."""

from __future__ import annotations

from .aggregation_feed_forward import AggregationFeedForward
from .attention_pool import AttentionPool
from .conv_patch_embedding import ConvPatchEmbedding
from .factorized_position import FactorizedPosition
from .feature_jitter import FeatureJitter
from .head_token_attention import HeadTokenAttention
from .head_token_block import HeadTokenBlock
from .neighbor_masked_layer import NeighborMaskedLayer
from .patch_grid import resize_grid
from .position_attention import PositionAttention
from .post_norm_feed_forward import PostNormFeedForward
from .query_decoder_layer import QueryDecoderLayer
from .squeezenet_features import SqueezeNetFeatures
from .strided_convolutions import StridedDecoder, StridedEncoder
from .token_mlp import TokenMLP
from .token_neighbors import neighbor_mask
from .token_shift import TokenShift
from .vgg19_features import VGG19Features
from .weight_standardized_conv import WeightStandardizedConv

__all__ = [
    "AggregationFeedForward",
    "AttentionPool",
    "ConvPatchEmbedding",
    "FactorizedPosition",
    "FeatureJitter",
    "HeadTokenAttention",
    "HeadTokenBlock",
    "NeighborMaskedLayer",
    "PositionAttention",
    "PostNormFeedForward",
    "QueryDecoderLayer",
    "SqueezeNetFeatures",
    "StridedDecoder",
    "StridedEncoder",
    "TokenMLP",
    "TokenShift",
    "VGG19Features",
    "WeightStandardizedConv",
    "neighbor_mask",
    "resize_grid",
]
