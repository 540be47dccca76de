# SPDX-License-Identifier: Apache-2.0
"""The charts of a report, as far as the data define them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .curves import (
    froc_figure,
    precision_recall_figure,
    roc_figure,
    score_histogram_figure,
    sensitivity_by_size_figure,
    size_range,
)
from .records import CalibrationSummary, Scores
from .svg import figure_to_svg
from .values import format_number

if TYPE_CHECKING:  # matplotlib is imported where a figure is made
    from matplotlib.figure import Figure

MAX_SIZE_BINS = 12


class Chart(NamedTuple):
    """A drawn chart; ``words`` tell its numbers to readers who cannot see it."""

    title: str
    svg: str
    words: str = ""
    is_wide: bool = False


def draw_charts(
    metrics: Mapping[str, Any],
    scores: Scores,
    calibration: CalibrationSummary | None,
    froc_curve: Sequence[Mapping[str, float]] = (),
) -> list[Chart]:
    """Draw curves and histograms.

    Args:
        metrics: metrics of all cases; empty without labels.
        scores: scores of all cases.
        calibration: the calibration, if any.
        froc_curve: rows of ``froc.csv``; empty without detections.

    Returns:
        The charts that the data define.
    """
    charts = []
    if scores.has_both_labels:
        normal, abnormal = scores.of(0), scores.of(1)
        rates, recall_point = _operating_points(scores)
        charts.append(_chart("ROC curve of images", roc_figure(normal, abnormal, rates)))
        charts.append(_chart("Precision and recall of images", precision_recall_figure(normal, abnormal, recall_point)))
    if bins := _size_bins(metrics):
        words = "; ".join(f"{size_range(entry)}: {format_number(entry.get('value'))}" for entry in bins)
        charts.append(_chart("Lesions found, by size", sensitivity_by_size_figure(bins), words))
    if froc_curve and metrics:
        read = metrics["froc"]["sensitivity_at_false_positives"]
        words = "; ".join(f"{entry['false_positives_per_image']:g}: {format_number(entry['value'])}" for entry in read)
        points = [(row["false_positives_per_image"], row["sensitivity"]) for row in froc_curve]
        rate, sensitivity = np.array([(0.0, 0.0), *points]).T
        charts.append(_chart("Free-response ROC", froc_figure((rate, sensitivity), read), words))
    calibrated = np.asarray(() if calibration is None else calibration.scores, dtype=np.float64)
    groups = {
        "Calibration, normal": (calibrated[np.isfinite(calibrated)], "calibration"),
        "Test, normal": (scores.of(0), "normal"),
        "Test, abnormal": (scores.of(1), "abnormal"),
        "These cases": (scores.of(-1), "accent"),
    }
    if any(group.size for group, _ in groups.values()):
        threshold = None if calibration is None else calibration.score_threshold
        charts.append(_chart("Scores", score_histogram_figure(groups, threshold))._replace(is_wide=True))
    return charts


def _operating_points(scores: Scores) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """(False-, true-positive rate) and (recall, precision) of the decisions; ``None`` where they are undefined."""
    normal, abnormal = (scores.decision[(scores.label == label) & np.isfinite(scores.score)] for label in (0, 1))
    if (normal < 0).any() or (abnormal < 0).any():
        return None, None
    rates = (float(normal.mean()), float(abnormal.mean()))
    called = int(normal.sum() + abnormal.sum())
    return rates, (rates[1], float(abnormal.sum() / called)) if called else None


def _size_bins(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entry = metrics.get("lesion_sensitivity_by_size")
    rows = entry if isinstance(entry, Sequence) and not isinstance(entry, str) else []
    return [row for row in rows if isinstance(row, Mapping)][:MAX_SIZE_BINS]


def _chart(title: str, figure: Figure, words: str = "") -> Chart:
    return Chart(title, figure_to_svg(figure, title.split()[0].lower()), words)
