# SPDX-License-Identifier: Apache-2.0
"""What held-out normal images say about new ones: calibration, p-value, decision, threshold, mask."""

from .builder import CalibrationBuilder, images_per_subject
from .calibration import Calibration, voxel_rate_grid
from .decision import Calibrated
from .file import load_calibration
from .grouped_builder import GroupedCalibrationBuilder, by_dataset
from .guarantee import Guarantee
from .hashing import as_json_holds_it, data_hash
from .heatmap import HeatmapPredd, ScoreBinPredd
from .matching import calibration_of_weights
from .settings import score_settings
from .shortage import few_images, rough_threshold
from .stored import StoredCalibration
from .threshold import Thresholdd
from .weighted_scores import normals_needed

__all__ = [
    "Calibrated",
    "Calibration",
    "CalibrationBuilder",
    "GroupedCalibrationBuilder",
    "Guarantee",
    "HeatmapPredd",
    "ScoreBinPredd",
    "StoredCalibration",
    "Thresholdd",
    "as_json_holds_it",
    "by_dataset",
    "calibration_of_weights",
    "data_hash",
    "few_images",
    "images_per_subject",
    "load_calibration",
    "normals_needed",
    "rough_threshold",
    "score_settings",
    "voxel_rate_grid",
]
