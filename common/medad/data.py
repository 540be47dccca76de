# SPDX-License-Identifier: Apache-2.0
"""Names that released bundles use, until 1.0; they live in datalists, transforms and loading."""

from .datalists import class_weights, load_datalist
from .loading import CaseDataset, CaseLoader, FeatureDataset, PlainErrorLoader, last_batch_is_single, training_dataset
from .transforms import CheckImaged, DrawCirclesd, LoadImageFiled, LoadMaskd, OrientVolumed

__all__ = [
    "CaseDataset",
    "CaseLoader",
    "CheckImaged",
    "DrawCirclesd",
    "FeatureDataset",
    "LoadImageFiled",
    "LoadMaskd",
    "OrientVolumed",
    "PlainErrorLoader",
    "class_weights",
    "last_batch_is_single",
    "load_datalist",
    "training_dataset",
]
