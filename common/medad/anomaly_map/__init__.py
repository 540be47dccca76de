# SPDX-License-Identifier: Apache-2.0
"""From the tensor of an inferer to map, score and candidates."""

from .candidates import Candidates, FindCandidatesd, find_candidates, score_candidates
from .components import RemoveSmallComponentsd, remove_small_components
from .crops import crop_around
from .file_grid import to_file_grid
from .foreground import MaskForegroundd
from .otsu import OtsuThresholdd
from .score import AnomalyScored, anomaly_score
from .smoothing import GaussianSmoothMapd, MedianSmoothMapd, gaussian_smooth, median_smooth
from .split import SplitAnomalyMapd
from .spread import DivideBySpreadd

__all__ = [
    "AnomalyScored",
    "Candidates",
    "DivideBySpreadd",
    "FindCandidatesd",
    "GaussianSmoothMapd",
    "MaskForegroundd",
    "MedianSmoothMapd",
    "OtsuThresholdd",
    "RemoveSmallComponentsd",
    "SplitAnomalyMapd",
    "anomaly_score",
    "crop_around",
    "find_candidates",
    "gaussian_smooth",
    "median_smooth",
    "remove_small_components",
    "score_candidates",
    "to_file_grid",
]
