# SPDX-License-Identifier: Apache-2.0
"""Cross-validation by subject, for any bundle: every case is tested once, by a model that never saw its subject."""

from .fold import Fold, Recipe
from .folds import make_folds
from .pooling import over_folds, pool, pooled_detections
from .validation import CrossValidation, cross_validate

__all__ = [
    "CrossValidation",
    "Fold",
    "Recipe",
    "cross_validate",
    "make_folds",
    "over_folds",
    "pool",
    "pooled_detections",
]
