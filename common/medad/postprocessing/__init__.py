# SPDX-License-Identifier: Apache-2.0
"""From the tensor of an inferer to map, score, decision and mask: transforms of one case, and their calibration."""

from __future__ import annotations

from .calibration import Calibration, load_calibration, voxel_rate_grid
from .calibration_builder import CalibrationBuilder, images_per_subject
from .candidates import Candidates, FindCandidatesd, find_candidates
from .components import RemoveSmallComponentsd, remove_small_components
from .crops import crop_around
from .decision import Calibrated, Thresholdd, calibration_of_weights
from .foreground import MaskForegroundd, erode
from .hashing import as_json_holds_it, data_hash, weights_hash
from .heatmap import HeatmapPredd, ScoreBinPredd
from .otsu import OtsuThresholdd
from .score import AnomalyScored, anomaly_score
from .smoothing import GaussianSmoothMapd, MedianSmoothMapd, gaussian_smooth, median_smooth
from .split import SplitAnomalyMapd

__all__ = [
    "AnomalyScored",
    "Calibrated",
    "Calibration",
    "CalibrationBuilder",
    "Candidates",
    "FindCandidatesd",
    "GaussianSmoothMapd",
    "HeatmapPredd",
    "MaskForegroundd",
    "MedianSmoothMapd",
    "OtsuThresholdd",
    "RemoveSmallComponentsd",
    "ScoreBinPredd",
    "SplitAnomalyMapd",
    "Thresholdd",
    "anomaly_score",
    "as_json_holds_it",
    "calibration_of_weights",
    "crop_around",
    "data_hash",
    "erode",
    "find_candidates",
    "gaussian_smooth",
    "images_per_subject",
    "load_calibration",
    "median_smooth",
    "remove_small_components",
    "voxel_rate_grid",
    "weights_hash",
]
