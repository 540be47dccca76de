# SPDX-License-Identifier: Apache-2.0
"""Loss functions, and the maps that some of them are means of."""

from .attention_entropy import AttentionEntropy
from .cell_cross_entropy import CellCrossEntropy
from .feature_reconstruction import FeatureReconstructionLoss
from .foreground import ForegroundLoss
from .guided_diffusion import GuidedDiffusionLoss
from .hybrid_diffusion import HybridDiffusionLoss
from .kl_divergence import KLDivergence, kl_to_standard_normal
from .labeled_denoising import LabeledDenoisingLoss
from .lesion_restoration import LesionRestorationLoss
from .perceptual import PerceptualLoss, relative_feature_difference
from .regularized import RegularizedLoss
from .separation import TTestSeparationLoss
from .structural import StructuralDissimilarity, dissimilarity_map
from .uncertainty import UncertaintyLoss, split_uncertainty, squared_error_in_variances

__all__ = [
    "AttentionEntropy",
    "CellCrossEntropy",
    "FeatureReconstructionLoss",
    "ForegroundLoss",
    "GuidedDiffusionLoss",
    "HybridDiffusionLoss",
    "KLDivergence",
    "LabeledDenoisingLoss",
    "LesionRestorationLoss",
    "PerceptualLoss",
    "RegularizedLoss",
    "StructuralDissimilarity",
    "TTestSeparationLoss",
    "UncertaintyLoss",
    "dissimilarity_map",
    "kl_to_standard_normal",
    "relative_feature_difference",
    "split_uncertainty",
    "squared_error_in_variances",
]
