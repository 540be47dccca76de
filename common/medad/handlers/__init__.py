# SPDX-License-Identifier: Apache-2.0
"""Handlers: what happens beside the computation of a run."""

from __future__ import annotations

from .case_saver import CaseSaver
from .checkpoint_loader import ModelCheckpointLoader
from .mean_score import MeanScore
from .metrics import MetricsHandler
from .model_saver import ModelSaver
from .progress import ProgressBar
from .report import ReportHandler
from .tables import FailureTable, ScoreTable
from .training_state import TrainingState
from .unfinished import unfinished
from .weight_average import WeightAverage

__all__ = [
    "CaseSaver",
    "FailureTable",
    "MeanScore",
    "MetricsHandler",
    "ModelCheckpointLoader",
    "ModelSaver",
    "ProgressBar",
    "ReportHandler",
    "ScoreTable",
    "TrainingState",
    "WeightAverage",
    "unfinished",
]
