# SPDX-License-Identifier: Apache-2.0
"""Engines: ignite glue on MONAI's supervised trainer and evaluator."""

from __future__ import annotations

from .calibrator import Calibrator
from .candidate_crops import CandidateCrops
from .evaluator import AnomalyEvaluator, CohortError, load_weights
from .postprocess import postprocess_case
from .prepare_batch import PrepareDenoising, PrepareReconstruction, prepare_image
from .prepare_diffusion import PrepareDiffusion
from .prepare_hybrid_diffusion import PrepareHybridDiffusion
from .prepare_labeled_denoising import PrepareLabeledDenoising
from .prepare_labeled_diffusion import PrepareConditionedDiffusion, PrepareGuidedDiffusion
from .prepare_separation import PrepareSeparation
from .trainer import AnomalyTrainer
from .unwrapping import plain_network

__all__ = [
    "AnomalyEvaluator",
    "AnomalyTrainer",
    "Calibrator",
    "CandidateCrops",
    "CohortError",
    "PrepareConditionedDiffusion",
    "PrepareDenoising",
    "PrepareDiffusion",
    "PrepareGuidedDiffusion",
    "PrepareHybridDiffusion",
    "PrepareLabeledDenoising",
    "PrepareReconstruction",
    "PrepareSeparation",
    "load_weights",
    "plain_network",
    "postprocess_case",
    "prepare_image",
]
