# SPDX-License-Identifier: Apache-2.0
"""Engines: ignite glue on MONAI's supervised trainer and evaluator."""

from __future__ import annotations

from .calibrator import Calibrator
from .evaluator import AnomalyEvaluator, CohortError, load_weights
from .prepare_batch import PrepareDenoising, prepare_image

__all__ = [
    "AnomalyEvaluator",
    "Calibrator",
    "CohortError",
    "PrepareDenoising",
    "load_weights",
    "prepare_image",
]
