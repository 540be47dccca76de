# SPDX-License-Identifier: Apache-2.0
"""Streaming metrics of anomaly detection: one histogram state, mergeable over ranks, with subject-level intervals."""

from .accumulator import AnomalyMetrics
from .bootstrap import WeightedHistograms, percentile_interval, resample, subject_weights
from .detection import DetectionRecord, hits_in_components, hits_near, match_detections
from .dice import oracle_dice, pooled_dice
from .froc import FALSE_POSITIVE_RATES, FrocStatistic, froc_curve, sensitivity_at_false_positives
from .froc_intervals import summarize_froc
from .histogram import (
    ScoreHistogram,
    add_histograms,
    coarsen,
    key_values,
    quantile_groups,
    score_histogram,
    score_keys,
)
from .lesion import false_positive_components, lesion_detection, size_stratum
from .ranking import at_or_above, auroc, average_precision, fpr_at_tpr, score_levels
from .region_overlap import aupro

__all__ = [
    "FALSE_POSITIVE_RATES",
    "AnomalyMetrics",
    "DetectionRecord",
    "FrocStatistic",
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
    "froc_curve",
    "hits_in_components",
    "hits_near",
    "key_values",
    "lesion_detection",
    "match_detections",
    "oracle_dice",
    "percentile_interval",
    "pooled_dice",
    "quantile_groups",
    "resample",
    "score_histogram",
    "score_keys",
    "score_levels",
    "sensitivity_at_false_positives",
    "size_stratum",
    "subject_weights",
    "summarize_froc",
]
