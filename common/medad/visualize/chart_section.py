# SPDX-License-Identifier: Apache-2.0
"""The report's charts, as far as the data define them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import (
    figure_to_svg,
    froc_figure,
    precision_recall_figure,
    roc_figure,
    score_histogram_figure,
    sensitivity_by_size_figure,
    size_range,
)
from .metric_names import format_number
from .page import escape, section
from .records import CalibrationSummary, ScoreTable

if TYPE_CHECKING:  # matplotlib is imported where a figure is made
    from matplotlib.figure import Figure

MAX_SIZE_BINS = 12


def charts(
    metrics: Mapping[str, Any] | None,
    table: ScoreTable,
    calibration: CalibrationSummary | None,
    froc_curve: Sequence[Mapping[str, float]] = (),
) -> str:
    """Curves and histograms, as far as the data define them.

    Args:
        metrics: metrics, or ``None`` without labels.
        table: scores of all cases.
        calibration: the calibration, if any.
        froc_curve: rows of ``froc.csv``; empty without detections.

    Returns:
        HTML.
    """
    threshold = None if calibration is None else calibration.score_threshold
    drawn = []
    if table.has_both_labels:
        normal, abnormal = table.scores_of(0), table.scores_of(1)
        roc_point, recall_point = _operating_points(table)
        drawn.append(_chart("ROC curve of images", "roc", roc_figure(normal, abnormal, roc_point)))
        drawn.append(
            _chart("Precision and recall of images", "pr", precision_recall_figure(normal, abnormal, recall_point))
        )
    bins = _size_bins(metrics)
    if bins:
        words = "; ".join(f"{size_range(entry)}: {format_number(entry.get('value'))}" for entry in bins)
        drawn.append(_chart("Lesions found, by size", "sizes", sensitivity_by_size_figure(bins), words))
    if froc_curve and metrics:
        drawn.append(_froc_chart(froc_curve, metrics["froc"]["sensitivity_at_false_positives"]))
    calibrated = np.asarray(() if calibration is None else calibration.scores, dtype=np.float64)
    groups = {
        "Calibration, normal": (calibrated[np.isfinite(calibrated)], "calibration"),
        "Test, normal": (table.scores_of(0), "normal"),
        "Test, abnormal": (table.scores_of(1), "abnormal"),
        "These cases": (table.scores_of(-1), "accent"),
    }
    if any(scores.size for scores, _ in groups.values()):
        drawn.append(_chart("Scores", "scores", score_histogram_figure(groups, threshold), wide=True))
    lead = "Scores of the images; a calibration is made of normal images that were not used for training."
    if calibration is not None and calibration.datasets:
        lead += " All data sets are drawn together, with the threshold over all; each has one of its own."
    return section("Curves", f'<div class="charts">{"".join(drawn)}</div>' if drawn else "", lead if drawn else "")


def _operating_points(table: ScoreTable) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """(False-, true-positive rate) and (recall, precision) of the decisions; ``None`` where they are undefined."""
    normal, abnormal = (table.decision[(table.label == label) & np.isfinite(table.score)] for label in (0, 1))
    if (normal < 0).any() or (abnormal < 0).any():
        return None, None
    roc_point = (float(normal.mean()), float(abnormal.mean()))
    called = int(normal.sum() + abnormal.sum())
    return roc_point, (roc_point[1], float(abnormal.sum() / called)) if called else None


def _froc_chart(froc_curve: Sequence[Mapping[str, float]], read: Sequence[Mapping[str, Any]]) -> str:
    points = [(row["false_positives_per_image"], row["sensitivity"]) for row in froc_curve]
    rate, sensitivity = np.array([(0.0, 0.0), *points]).T
    words = "; ".join(f"{entry['false_positives_per_image']:g}: {format_number(entry['value'])}" for entry in read)
    return _chart("Free-response ROC", "froc", froc_figure((rate, sensitivity), read), words)


def _size_bins(metrics: Mapping[str, object] | None) -> list[Mapping[str, Any]]:
    entry = (metrics or {}).get("lesion_sensitivity_by_size")
    if not isinstance(entry, Sequence) or isinstance(entry, str):
        return []
    return [row for row in entry if isinstance(row, Mapping)][:MAX_SIZE_BINS]


def _chart(title: str, name: str, figure: Figure, words: str = "", *, wide: bool = False) -> str:
    svg = figure_to_svg(figure, name, f"{title}. {words}".strip())
    return f'<figure class="card{" wide" if wide else ""}"><h3>{escape(title)}</h3>{svg}</figure>'
