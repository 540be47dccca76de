# SPDX-License-Identifier: Apache-2.0
"""Networks: plain modules, ``spatial_dims`` first, 2D and 3D from one class."""

from __future__ import annotations

from .anomaly_segmentation import AnomalySegmentation
from .autoencoder import Autoencoder
from .class_conditional_unet import ClassConditionalUNet
from .constrained_autoencoder import ConstrainedAutoencoder
from .denoising_unet import DenoisingUNet
from .detection_cascade import DetectionCascade
from .diffusion_classifier import DiffusionClassifier
from .diffusion_unet import DiffusionUNet
from .dtunet import DTUNet
from .feature_pyramid import FeaturePyramid
from .feature_reconstruction import FeatureReconstruction
from .frozen_features import FrozenFeatures
from .guided_diffusion import GuidedDiffusion
from .memory_autoencoder import MemoryAutoencoder
from .onnx_network import OnnxNetwork
from .perceptual import EncoderDistance, PerceptualDistance, SpatialLPIPS, perceptual_distance
from .perceptual_autoencoder import PerceptualAutoencoder
from .placement import place_network
from .spatial_autoencoder import SpatialAutoencoder
from .uniad import UniAD
from .variational_autoencoder import VariationalAutoencoder
from .weights import read_weights
from .weights_hash import tensor_hash

__all__ = [
    "AnomalySegmentation",
    "Autoencoder",
    "ClassConditionalUNet",
    "ConstrainedAutoencoder",
    "DTUNet",
    "DenoisingUNet",
    "DetectionCascade",
    "DiffusionClassifier",
    "DiffusionUNet",
    "EncoderDistance",
    "FeaturePyramid",
    "FeatureReconstruction",
    "FrozenFeatures",
    "GuidedDiffusion",
    "MemoryAutoencoder",
    "OnnxNetwork",
    "PerceptualAutoencoder",
    "PerceptualDistance",
    "SpatialAutoencoder",
    "SpatialLPIPS",
    "UniAD",
    "VariationalAutoencoder",
    "perceptual_distance",
    "place_network",
    "read_weights",
    "tensor_hash",
]
