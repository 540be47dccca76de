# SPDX-License-Identifier: Apache-2.0
"""MONAI transforms that MONAI does not have: grid, foreground, normalization, synthetic anomalies, drawn balls."""

from __future__ import annotations

from .anomaly_insertion import SyntheticAnomaly, insert_anomaly
from .balls import draw_balls
from .fit import FitToGrid, FitToGridd
from .foreground import ForegroundMaskd, foreground_mask
from .normalization import ScaleByForegroundd, scale_by_foreground
from .synthetic_anomaly import RandSyntheticAnomaly, RandSyntheticAnomalyd

__all__ = [
    "FitToGrid",
    "FitToGridd",
    "ForegroundMaskd",
    "RandSyntheticAnomaly",
    "RandSyntheticAnomalyd",
    "ScaleByForegroundd",
    "SyntheticAnomaly",
    "draw_balls",
    "foreground_mask",
    "insert_anomaly",
    "scale_by_foreground",
]
