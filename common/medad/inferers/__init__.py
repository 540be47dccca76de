# SPDX-License-Identifier: Apache-2.0
"""Inferers: everything a method does at test time, from image to anomaly map."""

from .anomaly_map import AnomalyMapInferer
from .base import AnomalyInferer
from .cascade import CascadeInferer
from .gradient import GradientInferer
from .guided_ddim import GuidedDDIMInferer
from .harmonized_partial_diffusion import HarmonizedPartialDiffusionInferer
from .partial_diffusion import PartialDiffusionInferer
from .perceptual import PerceptualInferer
from .reconstruction import ReconstructionInferer
from .restoration import RestorationInferer
from .standardized import StandardizedInferer
from .uncertainty import UncertaintyInferer

__all__ = [
    "AnomalyInferer",
    "AnomalyMapInferer",
    "CascadeInferer",
    "GradientInferer",
    "GuidedDDIMInferer",
    "HarmonizedPartialDiffusionInferer",
    "PartialDiffusionInferer",
    "PerceptualInferer",
    "ReconstructionInferer",
    "RestorationInferer",
    "StandardizedInferer",
    "UncertaintyInferer",
]
