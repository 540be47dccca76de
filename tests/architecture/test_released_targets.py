# SPDX-License-Identifier: Apache-2.0
"""Released bundles keep working until 1.0: every ``_target_`` of their JSON is found, wherever its code lives now."""

from importlib import import_module

import pytest

RELEASED = """
data: CaseDataset CaseLoader CheckImaged DrawCirclesd FeatureDataset LoadImageFiled LoadMaskd OrientVolumed
    PlainErrorLoader class_weights last_batch_is_single load_datalist training_dataset
engines: AnomalyEvaluator AnomalyTrainer Calibrator CandidateCrops PrepareConditionedDiffusion PrepareDenoising
    PrepareDiffusion PrepareGuidedDiffusion PrepareHybridDiffusion PrepareLabeledDenoising PrepareReconstruction
    PrepareSeparation
errors: plain_errors
handlers: CaseSaver CheckCases CheckFeatures DetectionTable DicomResults FailureTable GradientClip MeanScore
    MetricsHandler ModelCheckpointLoader ModelSaver ProgressBar ReportHandler RunRecord ScoreTable TrainingState
    WeightAverage unfinished
inferers: AnomalyMapInferer CascadeInferer GradientInferer GuidedDDIMInferer HarmonizedPartialDiffusionInferer
    PartialDiffusionInferer PerceptualInferer ReconstructionInferer UncertaintyInferer
losses: AttentionEntropy CellCrossEntropy FeatureReconstructionLoss ForegroundLoss GuidedDiffusionLoss
    HybridDiffusionLoss KLDivergence LabeledDenoisingLoss PerceptualLoss RegularizedLoss StructuralDissimilarity
    TTestSeparationLoss UncertaintyLoss
networks: AnomalySegmentation Autoencoder ClassConditionalUNet ConstrainedAutoencoder DTUNet DenoisingUNet
    DetectionCascade DiffusionClassifier DiffusionUNet FeaturePyramid FeatureReconstruction FrozenFeatures
    GuidedDiffusion MemoryAutoencoder PerceptualAutoencoder SpatialAutoencoder UniAD VariationalAutoencoder
    perceptual_distance place_network
noise: CoarseNoise FractalSimplexNoise GaussianNoise
postprocessing: AnomalyScored Calibrated FindCandidatesd HeatmapPredd MaskForegroundd MedianSmoothMapd
    OtsuThresholdd RemoveSmallComponentsd ScoreBinPredd SplitAnomalyMapd Thresholdd
transforms: BreastRegiond BrightSpotsd ChestWallLeftd CropCentersd FitToGridd ForegroundMaskd RandSyntheticAnomalyd
    ScaleByForegroundd
"""


def _released() -> list[str]:
    room, names = "", []
    for word in RELEASED.split():
        if word.endswith(":"):
            room = word.removesuffix(":")
        else:
            names.append(f"{room}.{word}")
    return names


@pytest.mark.parametrize("target", _released())
def test_a_released_target_is_found(target: str) -> None:
    room, name = target.split(".")
    assert callable(getattr(import_module(f"medad.{room}"), name))
