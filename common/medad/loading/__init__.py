# SPDX-License-Identifier: Apache-2.0
"""Data sets and loaders: cases of a cohort, cached training items, features of a frozen network."""

from .batch_size import last_batch_is_single, loader_batch_size
from .case_dataset import CaseDataset
from .case_loader import CaseLoader, cases_by_shape, collate_cases
from .feature_dataset import FeatureDataset
from .plain_error_loader import PlainErrorLoader
from .training_cache import training_dataset

__all__ = [
    "CaseDataset",
    "CaseLoader",
    "FeatureDataset",
    "PlainErrorLoader",
    "cases_by_shape",
    "collate_cases",
    "last_batch_is_single",
    "loader_batch_size",
    "training_dataset",
]
