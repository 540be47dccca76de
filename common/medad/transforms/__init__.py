# SPDX-License-Identifier: Apache-2.0
"""MONAI transforms that MONAI does not have: grid, foreground, normalization, drawn annotations."""

from __future__ import annotations

from .balls import draw_balls
from .fit import FitToGrid, FitToGridd
from .foreground import ForegroundMaskd, foreground_mask
from .normalization import ScaleByForegroundd, scale_by_foreground

__all__ = [
    "FitToGrid",
    "FitToGridd",
    "ForegroundMaskd",
    "ScaleByForegroundd",
    "draw_balls",
    "foreground_mask",
    "scale_by_foreground",
]
