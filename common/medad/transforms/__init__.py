# SPDX-License-Identifier: Apache-2.0
"""MONAI transforms that MONAI does not have: grid, foreground, breast, normalization, synthetic anomalies, marks."""

from __future__ import annotations

from .anomaly_insertion import SyntheticAnomaly, insert_anomaly
from .balls import draw_balls
from .breast import BreastRegiond, ChestWallLeftd, breast_region
from .crop_centers import CropCentersd
from .fit import FitToGrid, FitToGridd
from .foreground import ForegroundMaskd, foreground_mask
from .normalization import ScaleByForegroundd, scale_by_foreground
from .spots import BrightSpotsd, bright_spots
from .synthetic_anomaly import RandSyntheticAnomaly, RandSyntheticAnomalyd

__all__ = [
    "BreastRegiond",
    "BrightSpotsd",
    "ChestWallLeftd",
    "CropCentersd",
    "FitToGrid",
    "FitToGridd",
    "ForegroundMaskd",
    "RandSyntheticAnomaly",
    "RandSyntheticAnomalyd",
    "ScaleByForegroundd",
    "SyntheticAnomaly",
    "breast_region",
    "bright_spots",
    "draw_balls",
    "foreground_mask",
    "insert_anomaly",
    "scale_by_foreground",
]
