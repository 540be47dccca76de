# SPDX-License-Identifier: Apache-2.0
"""Engines: ignite glue on MONAI's supervised trainer and evaluator."""

from .atlas_builder import AtlasBuilder
from .calibrator import Calibrator
from .candidate_crops import CandidateCrops
from .evaluator import AnomalyEvaluator, CohortError
from .one_cycle import OneCycle
from .postprocess import postprocess_case
from .prepare_batch import (
    PrepareDenoising,
    PrepareLabeledDenoising,
    PrepareReconstruction,
    PrepareRestoration,
    PrepareSeparation,
    prepare_image,
)
from .prepare_diffusion import (
    PrepareConditionedDiffusion,
    PrepareDiffusion,
    PrepareGuidedDiffusion,
    PrepareHybridDiffusion,
)
from .spread_builder import SpreadBuilder
from .trainer import AnomalyTrainer

__all__ = [
    "AnomalyEvaluator",
    "AnomalyTrainer",
    "AtlasBuilder",
    "Calibrator",
    "CandidateCrops",
    "CohortError",
    "OneCycle",
    "PrepareConditionedDiffusion",
    "PrepareDenoising",
    "PrepareDiffusion",
    "PrepareGuidedDiffusion",
    "PrepareHybridDiffusion",
    "PrepareLabeledDenoising",
    "PrepareReconstruction",
    "PrepareRestoration",
    "PrepareSeparation",
    "SpreadBuilder",
    "postprocess_case",
    "prepare_image",
]
