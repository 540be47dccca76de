# SPDX-License-Identifier: Apache-2.0
"""Data sets and loaders: cases of a cohort, cached training items, features of a frozen network."""

from __future__ import annotations

from .case_loader import CaseLoader, collate_cases
from .dataset import CaseDataset, last_batch_is_single, loader_batch_size, training_dataset
from .feature_dataset import FeatureDataset
from .plain_error_loader import PlainErrorLoader

__all__ = [
    "CaseDataset",
    "CaseLoader",
    "FeatureDataset",
    "PlainErrorLoader",
    "collate_cases",
    "last_batch_is_single",
    "loader_batch_size",
    "training_dataset",
]
