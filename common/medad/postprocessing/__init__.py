# SPDX-License-Identifier: Apache-2.0
"""From the tensor of an inferer to map, score, decision and mask: transforms of one case, and their calibration."""

from __future__ import annotations

from .calibration import Calibration, voxel_rate_grid
from .calibration_builder import CalibrationBuilder, images_per_subject
from .calibration_file import load_calibration
from .candidates import Candidates, FindCandidatesd, find_candidates, score_candidates
from .components import RemoveSmallComponentsd, remove_small_components
from .crops import crop_around
from .decision import Calibrated
from .foreground import MaskForegroundd, erode
from .grouped_calibration_builder import GroupedCalibrationBuilder
from .hashing import as_json_holds_it, data_hash, weights_hash
from .heatmap import HeatmapPredd, ScoreBinPredd
from .matching_calibration import calibration_of_weights
from .otsu import OtsuThresholdd
from .score import AnomalyScored, anomaly_score
from .smoothing import GaussianSmoothMapd, MedianSmoothMapd, gaussian_smooth, median_smooth
from .split import SplitAnomalyMapd
from .threshold import Thresholdd

__all__ = [
    "AnomalyScored",
    "Calibrated",
    "Calibration",
    "CalibrationBuilder",
    "Candidates",
    "FindCandidatesd",
    "GaussianSmoothMapd",
    "GroupedCalibrationBuilder",
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
    "score_candidates",
    "voxel_rate_grid",
    "weights_hash",
]
