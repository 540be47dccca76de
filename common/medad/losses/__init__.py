# SPDX-License-Identifier: Apache-2.0
"""Loss functions."""

from __future__ import annotations

from .foreground import ForegroundLoss

__all__ = ["ForegroundLoss"]
