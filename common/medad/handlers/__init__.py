# SPDX-License-Identifier: Apache-2.0
"""Handlers: what happens beside the computation of a run."""

from ..loading.finished_cases import unfinished
from .case_saver import CaseSaver
from .check_cases import CheckCases
from .check_features import CheckFeatures
from .checkpoint_loader import ModelCheckpointLoader
from .detection_table import DetectionTable, detection_rows
from .dicom_results import DicomResults
from .evaluation_run import EvaluationRun
from .fitted_atlas import FittedAtlas
from .froc import detection_record, froc_table
from .gradient_clip import GradientClip
from .inference_run import InferenceRun
from .mean_score import MeanScore
from .metrics import MetricsHandler, count_case
from .model_saver import ModelSaver
from .progress import ProgressBar
from .report import ReportHandler
from .run_record import RunRecord
from .tables import FailureTable, ScoreTable
from .training_run import TrainingRun
from .training_state import TrainingState
from .validation_log import ValidationLog
from .weight_average import WeightAverage

__all__ = [
    "CaseSaver",
    "CheckCases",
    "CheckFeatures",
    "DetectionTable",
    "DicomResults",
    "EvaluationRun",
    "FailureTable",
    "FittedAtlas",
    "GradientClip",
    "InferenceRun",
    "MeanScore",
    "MetricsHandler",
    "ModelCheckpointLoader",
    "ModelSaver",
    "ProgressBar",
    "ReportHandler",
    "RunRecord",
    "ScoreTable",
    "TrainingRun",
    "TrainingState",
    "ValidationLog",
    "WeightAverage",
    "count_case",
    "detection_record",
    "detection_rows",
    "froc_table",
    "unfinished",
]
