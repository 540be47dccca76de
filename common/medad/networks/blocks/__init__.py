# SPDX-License-Identifier: Apache-2.0
"""Parts that several networks are made of."""

from __future__ import annotations

from .attention_pool import AttentionPool
from .squeezenet_features import SqueezeNetFeatures
from .strided_convolutions import StridedDecoder, StridedEncoder
from .vgg19_features import VGG19Features
from .weight_standardized_conv import WeightStandardizedConv

__all__ = [
    "AttentionPool",
    "SqueezeNetFeatures",
    "StridedDecoder",
    "StridedEncoder",
    "VGG19Features",
    "WeightStandardizedConv",
]
