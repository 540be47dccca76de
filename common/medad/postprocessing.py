# SPDX-License-Identifier: Apache-2.0
"""Names that released bundles use, until 1.0; they live in anomaly_map and calibration."""

from __future__ import annotations

from .anomaly_map import (
    AnomalyScored,
    FindCandidatesd,
    MaskForegroundd,
    MedianSmoothMapd,
    OtsuThresholdd,
    RemoveSmallComponentsd,
    SplitAnomalyMapd,
)
from .calibration import Calibrated, HeatmapPredd, ScoreBinPredd, Thresholdd

__all__ = [
    "AnomalyScored",
    "Calibrated",
    "FindCandidatesd",
    "HeatmapPredd",
    "MaskForegroundd",
    "MedianSmoothMapd",
    "OtsuThresholdd",
    "RemoveSmallComponentsd",
    "ScoreBinPredd",
    "SplitAnomalyMapd",
    "Thresholdd",
]
