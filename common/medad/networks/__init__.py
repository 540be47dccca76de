# SPDX-License-Identifier: Apache-2.0
"""Networks: plain modules, ``spatial_dims`` first, 2D and 3D from one class."""

from .atlas.image_bank import holds_images
from .atlas.normative_atlas import NormativeAtlas
from .atlas.normative_spread import NormativeSpread, spread_of
from .autoencoders.autoencoder import Autoencoder
from .autoencoders.constrained_autoencoder import ConstrainedAutoencoder
from .autoencoders.denoising_unet import DenoisingUNet
from .autoencoders.memory_autoencoder import MemoryAutoencoder
from .autoencoders.perceptual_autoencoder import PerceptualAutoencoder
from .autoencoders.spatial_autoencoder import SpatialAutoencoder
from .autoencoders.variational_autoencoder import VariationalAutoencoder
from .detection_cascade import DetectionCascade
from .diffusion.class_conditional_unet import ClassConditionalUNet
from .diffusion.diffusion_classifier import DiffusionClassifier
from .diffusion.diffusion_unet import DiffusionUNet
from .diffusion.guided_diffusion import GuidedDiffusion
from .dtunet.dtunet import DTUNet
from .features.anomaly_segmentation import AnomalySegmentation
from .features.feature_pyramid import FeaturePyramid
from .features.feature_reconstruction import FeatureReconstruction
from .features.frozen_features import FrozenFeatures
from .onnx_network import OnnxNetwork
from .perceptual.distance import EncoderDistance, PerceptualDistance, SpatialLPIPS, perceptual_distance
from .placement import place_network
from .restoration.atlas_restoration import AtlasRestoration
from .restoration.restoration_unet import RestorationUNet
from .uniad.uniad import UniAD
from .unwrapping import unwrap_network
from .weights import load_weights, read_weights, tensor_hash, weights_hash

__all__ = [
    "AnomalySegmentation",
    "AtlasRestoration",
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
    "NormativeAtlas",
    "NormativeSpread",
    "OnnxNetwork",
    "PerceptualAutoencoder",
    "PerceptualDistance",
    "RestorationUNet",
    "SpatialAutoencoder",
    "SpatialLPIPS",
    "UniAD",
    "VariationalAutoencoder",
    "holds_images",
    "load_weights",
    "perceptual_distance",
    "place_network",
    "read_weights",
    "spread_of",
    "tensor_hash",
    "unwrap_network",
    "weights_hash",
]
