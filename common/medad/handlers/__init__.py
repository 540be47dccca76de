# SPDX-License-Identifier: Apache-2.0
"""Handlers: what happens beside the computation of a run."""

from __future__ import annotations

from .case_saver import CaseSaver
from .check_cases import CheckCases
from .check_features import CheckFeatures
from .checkpoint_loader import ModelCheckpointLoader
from .detection_table import DetectionTable, detection_rows
from .dicom_results import DicomResults
from .froc import detection_record, froc_table
from .gradient_clip import GradientClip
from .mean_score import MeanScore
from .metrics import MetricsHandler, count_case
from .model_saver import ModelSaver
from .progress import ProgressBar
from .remaining_cases import unfinished
from .report import ReportHandler
from .run_record import RunRecord
from .tables import FailureTable, ScoreTable
from .training_state import TrainingState
from .weight_average import WeightAverage

__all__ = [
    "CaseSaver",
    "CheckCases",
    "CheckFeatures",
    "DetectionTable",
    "DicomResults",
    "FailureTable",
    "GradientClip",
    "MeanScore",
    "MetricsHandler",
    "ModelCheckpointLoader",
    "ModelSaver",
    "ProgressBar",
    "ReportHandler",
    "RunRecord",
    "ScoreTable",
    "TrainingState",
    "WeightAverage",
    "count_case",
    "detection_record",
    "detection_rows",
    "froc_table",
    "unfinished",
]
