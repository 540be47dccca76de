# SPDX-License-Identifier: Apache-2.0
"""Charts of an evaluation: ROC, precision-recall, free-response ROC, score histogram, sensitivity by lesion size.

Every function returns a matplotlib ``Figure`` made without pyplot: ``figure.savefig("roc.png")`` writes a picture, and
:func:`.figure_to_svg` gives an inline SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # matplotlib is imported where a figure is made, so that importing medad does not import it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

COLORS = {
    "ink": "#1c2430",
    "muted": "#5c6675",
    "line": "#d5dae1",
    "accent": "#0b6e80",
    "calibration": "#8a94a3",
    "normal": "#2f6db5",
    "abnormal": "#c2512f",
}
"""Colors by role; on the page each is the CSS variable of that name."""
MAX_POINTS = 300
HISTOGRAM_BINS = 36
FIGURE_SIZE = (3.35, 2.75)
WIDE_FIGURE_SIZE = (9.4, 2.7)


def roc_points(normal: Floats, abnormal: Floats) -> tuple[Floats, Floats]:
    """Points of the ROC curve, equal scores taken together.

    Args:
        normal: scores of normal images ``(n,)``, n > 0.
        abnormal: scores of abnormal images ``(m,)``, m > 0.

    Returns:
        False-positive and true-positive rates from (0, 0) to (1, 1).
    """
    thresholds = np.unique(np.concatenate([normal, abnormal]))[::-1]
    false_positives = normal.size - np.searchsorted(np.sort(normal), thresholds, side="left")
    true_positives = abnormal.size - np.searchsorted(np.sort(abnormal), thresholds, side="left")
    return np.r_[0.0, false_positives / normal.size], np.r_[0.0, true_positives / abnormal.size]


def precision_recall_points(normal: Floats, abnormal: Floats) -> tuple[Floats, Floats]:
    """Points of the precision-recall curve, equal scores taken together.

    Args:
        normal: scores of normal images ``(n,)``, n > 0.
        abnormal: scores of abnormal images ``(m,)``, m > 0.

    Returns:
        Recall, increasing, and precision; one point per distinct score.
    """
    false_rate, recall = (points[1:] for points in roc_points(normal, abnormal))
    false_positives, true_positives = false_rate * normal.size, recall * abnormal.size
    return recall, true_positives / (true_positives + false_positives)


def roc_figure(normal: Floats, abnormal: Floats, operating_point: tuple[float, float] | None = None) -> Figure:
    """Draw the ROC curve.

    Args:
        normal: scores of normal images ``(n,)``, n > 0.
        abnormal: scores of abnormal images ``(m,)``, m > 0.
        operating_point: false- and true-positive rate at the calibrated threshold.

    Returns:
        The figure.
    """
    figure, axes = _new_figure("False-positive rate", "True-positive rate")
    axes.plot([0, 1], [0, 1], color=COLORS["muted"], linewidth=0.9, linestyle=(0, (3, 3)), label="Guessing")
    axes.plot(*_thin(*roc_points(normal, abnormal)), color=COLORS["accent"], linewidth=1.9, label="Images")
    _mark(axes, operating_point)
    _unit_square(axes)
    _legend(axes, loc="lower right")
    return figure


def precision_recall_figure(
    normal: Floats, abnormal: Floats, operating_point: tuple[float, float] | None = None
) -> Figure:
    """Draw the precision-recall curve as steps, which is what average precision adds up.

    Args:
        normal: scores of normal images ``(n,)``, n > 0.
        abnormal: scores of abnormal images ``(m,)``, m > 0.
        operating_point: recall and precision at the calibrated threshold.

    Returns:
        The figure.
    """
    figure, axes = _new_figure("Recall", "Precision")
    prevalence = abnormal.size / (abnormal.size + normal.size)
    axes.axhline(prevalence, color=COLORS["muted"], linewidth=0.9, linestyle=(0, (3, 3)), label="Guessing")
    recall, precision = _thin(*precision_recall_points(normal, abnormal))
    axes.step(
        np.r_[0.0, recall], np.r_[precision[:1], precision], color=COLORS["accent"], linewidth=1.9, label="Images"
    )
    _mark(axes, operating_point)
    _unit_square(axes)
    _legend(axes, loc="lower left")
    return figure


def score_histogram_figure(groups: Mapping[str, tuple[Floats, str]], threshold: float | None = None) -> Figure:
    """Draw the histograms of scores of several groups over each other, each as shares of its group.

    The axis is logarithmic where positive scores span more than a factor of five.

    Args:
        groups: title of a group to its finite scores and its color role (a key of ``COLORS``); empty groups are left
            out.
        threshold: calibrated threshold of the score.

    Returns:
        The figure.

    Raises:
        ValueError: if every group is empty.
    """
    from matplotlib.ticker import LogLocator

    filled = {title: group for title, group in groups.items() if group[0].size}
    if not filled:
        raise ValueError("There are no scores to draw.")
    everything = np.concatenate([scores for scores, _ in filled.values()])
    span = np.r_[everything, [] if threshold is None else [threshold]]
    figure, axes = _new_figure("Anomaly score", "Share of the group", size=WIDE_FIGURE_SIZE)
    low, high = float(span.min()), float(span.max())
    if low > 0 and high > 5 * low:
        edges = np.geomspace(low, high, HISTOGRAM_BINS + 1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("Anomaly score, logarithmic axis")
    else:
        edges = np.histogram_bin_edges(span, bins=HISTOGRAM_BINS, range=(low, high))
    for title, (scores, role) in filled.items():
        share = np.histogram(scores, edges)[0] / scores.size
        color = COLORS[role]
        axes.stairs(share, edges, fill=True, color=color, alpha=0.35 if role == "calibration" else 0.16)
        axes.stairs(share, edges, color=color, linewidth=1.5, label=f"{title} ({scores.size})")
    if threshold is not None:
        axes.axvline(threshold, color=COLORS["ink"], linewidth=1.1, linestyle=(0, (4, 2)), label="Calibrated threshold")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    _legend(axes, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4)
    return figure


def sensitivity_by_size_figure(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share of lesions found, by their size.

    Args:
        bins: ``{"low", "high", "n", "value", "unit"?}`` per size class; ``high`` may be ``None`` or infinite, ``value``
            ``None`` where there is no lesion.

    Returns:
        The figure.
    """
    unit = str(next((entry["unit"] for entry in bins if entry.get("unit")), ""))
    figure, axes = _new_figure(f"Lesion size ({unit})" if unit else "Lesion size", "Share found")
    values = [0.0 if entry.get("value") is None else float(entry["value"]) for entry in bins]
    positions = np.arange(len(bins))
    axes.bar(positions, values, width=0.62, color=COLORS["accent"])
    for position, value, entry in zip(positions, values, bins, strict=True):
        text = "none" if entry.get("value") is None else f"{value:.2f}"
        axes.text(float(position), value + 0.025, text, ha="center", color=COLORS["ink"], fontsize=8.5)
    axes.set_xticks(positions, [f"{size_range(entry)}\nn = {entry.get('n', '?')}" for entry in bins])
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 1.12)
    axes.set_yticks(np.linspace(0, 1, 6))
    return figure


def froc_figure(curve: tuple[Floats, Floats], read: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the free-response ROC over a logarithmic axis, with the sensitivities that are read from it.

    Args:
        curve: false positives per image, rising, and sensitivity, each ``(points,)``, from (0, 0); linear between the
            points and level after the last one.
        read: ``{"false_positives_per_image", "value", "low", "high"}``; ``low`` and ``high`` may be ``None``.

    Returns:
        The figure.
    """
    figure, axes = _new_figure("False positives per image, logarithmic axis", "Lesions found")
    rates = np.array([entry["false_positives_per_image"] for entry in read])
    values = np.array([entry["value"] for entry in read])
    spread = np.geomspace(rates.min() / 1.4, rates.max() * 1.4, MAX_POINTS)
    # of several points at one rate the last counts, as in a vertical step
    axes.plot(spread, np.interp(spread, *curve), color=COLORS["accent"], linewidth=1.9, label="Detections")
    ends = [(entry["low"], entry["high"]) for entry in read]
    if all(end is not None for pair in ends for end in pair):
        reach = np.abs(np.transpose(ends) - values)
        axes.errorbar(rates, values, reach, fmt="none", ecolor=COLORS["muted"], elinewidth=0.9, label="95 % interval")
    axes.plot(rates, values, linestyle="none", marker="o", markersize=4, color=COLORS["accent"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(rates, [f"{rate:g}" if rate >= 1 else f"1/{1 / rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.04)
    _legend(axes, loc="lower right")
    return figure


def size_range(entry: Mapping[str, Any]) -> str:
    """Write the sizes of a class.

    Args:
        entry: ``{"low", "high"}``; ``None`` or an infinite number is an open end.

    Returns:
        The text, such as ``10 to 100``.
    """
    low, high = (entry.get(end) for end in ("low", "high"))
    if high is None or not np.isfinite(high):
        return f"\u2265 {low or 0:g}"
    return f"< {high:g}" if not low else f"{low:g}\u2013{high:g}"


def _new_figure(x_label: str, y_label: str, size: tuple[float, float] = FIGURE_SIZE) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=150)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label, color=COLORS["muted"], fontsize=9)
    axes.set_ylabel(y_label, color=COLORS["muted"], fontsize=9)
    axes.tick_params(colors=COLORS["muted"], labelsize=8.5, width=0.8, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(COLORS["line"])
    axes.grid(axis="y", color=COLORS["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _mark(axes: Axes, point: tuple[float, float] | None) -> None:
    if point is not None:
        color, label = COLORS["abnormal"], "Calibrated threshold"
        axes.plot(point[:1], point[1:], marker="o", markersize=6.5, linestyle="none", color=color, label=label)


def _legend(axes: Axes, **place: Any) -> None:
    axes.legend(frameon=False, fontsize=8.5, labelcolor=COLORS["ink"], handlelength=1.6, **place)


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Keep at most ``MAX_POINTS`` points, evenly spaced along the curve, ends included."""
    if x.size <= MAX_POINTS:
        return x, y
    chosen = np.unique(np.rint(np.linspace(0, x.size - 1, MAX_POINTS)).astype(np.intp))
    return x[chosen], y[chosen]
