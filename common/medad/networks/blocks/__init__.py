# SPDX-License-Identifier: Apache-2.0
"""Parts that several networks are made of."""

from __future__ import annotations

from .weight_standardized_conv import WeightStandardizedConv

__all__ = ["WeightStandardizedConv"]
