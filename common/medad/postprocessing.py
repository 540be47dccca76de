# SPDX-License-Identifier: Apache-2.0
"""Names that released bundles use, until 1.0; they live in anomaly_map and calibration."""

from typing import Any

from .anomaly_map import (
    AnomalyScored,
    FindCandidatesd,
    MaskForegroundd,
    MedianSmoothMapd,
    OtsuThresholdd,
    RemoveSmallComponentsd,
    SplitAnomalyMapd,
)
from .calibration import Calibrated as _Calibrated
from .calibration import HeatmapPredd as _HeatmapPredd
from .calibration import ScoreBinPredd as _ScoreBinPredd
from .calibration import StoredCalibration
from .calibration import Thresholdd as _Thresholdd

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


_OF_A_CALIBRATION = ("weights_path", "image_false_positive_rate", "voxel_false_positive_rate", "threshold")


def _stored(path: str | None, arguments: dict[str, Any]) -> StoredCalibration:
    """Take what makes up a calibration out of the arguments of a transform."""
    stored = StoredCalibration(path, **{name: arguments.pop(name) for name in _OF_A_CALIBRATION if name in arguments})
    stored.settings = arguments.pop("settings", None)
    return stored


class Calibrated(_Calibrated):
    """The transform of calibration, with path, weights, settings, rate and threshold one by one."""

    def __init__(self, calibration_path: str | None, **arguments: Any) -> None:
        super().__init__(_stored(calibration_path, arguments), **arguments)


class Thresholdd(_Thresholdd):
    """The transform of calibration, with path, weights, settings, rate and threshold one by one."""

    def __init__(self, calibration_path: str | None, **arguments: Any) -> None:
        super().__init__(_stored(calibration_path, arguments), **arguments)


class HeatmapPredd(_HeatmapPredd):
    """The transform of calibration, with path, weights, settings, rate and threshold one by one."""

    def __init__(self, calibration_path: str | None, **arguments: Any) -> None:
        super().__init__(_stored(calibration_path, arguments), **arguments)


class ScoreBinPredd(_ScoreBinPredd):
    """The transform of calibration, with path, weights and settings one by one."""

    def __init__(self, calibration_path: str | None, **arguments: Any) -> None:
        super().__init__(_stored(calibration_path, arguments), **arguments)
