# SPDX-License-Identifier: Apache-2.0
"""Streaming metrics of anomaly detection: one histogram state, mergeable over ranks, with subject-level intervals."""

from __future__ import annotations

from .accumulator import AnomalyMetrics
from .bootstrap import WeightedHistograms, percentile_interval, resample, subject_weights
from .dice import oracle_dice, pooled_dice
from .histogram import (
    ScoreHistogram,
    add_histograms,
    coarsen,
    key_values,
    quantile_groups,
    score_histogram,
    score_keys,
)
from .lesion import false_positive_components, label_components, lesion_detection, size_stratum
from .ranking import at_or_above, auroc, average_precision, fpr_at_tpr, score_levels
from .region_overlap import aupro

__all__ = [
    "AnomalyMetrics",
    "ScoreHistogram",
    "WeightedHistograms",
    "add_histograms",
    "at_or_above",
    "aupro",
    "auroc",
    "average_precision",
    "coarsen",
    "false_positive_components",
    "fpr_at_tpr",
    "key_values",
    "label_components",
    "lesion_detection",
    "oracle_dice",
    "percentile_interval",
    "pooled_dice",
    "quantile_groups",
    "resample",
    "score_histogram",
    "score_keys",
    "score_levels",
    "size_stratum",
    "subject_weights",
]
