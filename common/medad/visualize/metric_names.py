# SPDX-License-Identifier: Apache-2.0
"""Human names and one-sentence explanations of the metrics, and how their values are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ORACLE_NOTE = "oracle: uses the test labels"
NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class MetricName:
    """How a metric is presented.

    Args:
        title: human name.
        text: explanation in a sentence or two.
        better: ``"higher"``, ``"lower"`` or ``""``.
        unit: unit of the value, ``""`` for a ratio.
        oracle: whether the value was chosen with the test labels.
    """

    title: str
    text: str = ""
    better: str = ""
    unit: str = ""
    oracle: bool = False


METRIC_NAMES = {
    "image_auroc": MetricName(
        "Image AUROC", "Chance that an abnormal image scores higher than a normal one; 0.5 is guessing.", "higher"
    ),
    "image_ap": MetricName(
        "Image average precision",
        "Area under the precision-recall curve of images; guessing gives the share of abnormal images.",
        "higher",
    ),
    "pixel_auroc": MetricName(
        "Pixel AUROC", "The same for pixels; the many easy normal pixels make it look good.", "higher"
    ),
    "pixel_ap": MetricName(
        "Pixel average precision",
        "Area under the precision-recall curve of pixels; guessing gives the share of abnormal pixels.",
        "higher",
    ),
    "dice": MetricName(
        "Dice", "Overlap of predicted and true mask at the calibrated threshold, set without test labels.", "higher"
    ),
    "oracle_dice": MetricName(
        "Best Dice over thresholds",
        "Dice at the threshold that suits the test set best: an upper bound, not a result.",
        "higher",
        oracle=True,
    ),
    "oracle_threshold": MetricName("Threshold of the best Dice", "The map value that gives that Dice.", oracle=True),
    "fpr95": MetricName(
        "FPR at 95 % sensitivity",
        "Share of normal pixels above the threshold that finds 95 % of the abnormal pixels.",
        "lower",
    ),
    "aupro": MetricName(
        "AUPRO",
        "Overlap per lesion, averaged over false-positive rates; small lesions count as much as large ones.",
        "higher",
    ),
    "false_positive_rate": MetricName(
        "False-positive rate", "Share of normal images called abnormal at the calibrated threshold.", "lower"
    ),
    "true_positive_rate": MetricName(
        "True-positive rate", "Share of abnormal images called abnormal at the calibrated threshold.", "higher"
    ),
    "pixel_false_positive_rate": MetricName(
        "Pixel false-positive rate", "Share of normal pixels in the mask at the calibrated threshold.", "lower"
    ),
    "lesion_sensitivity": MetricName("Lesion sensitivity", "Share of lesions that the mask finds.", "higher"),
    "false_positives_per_image": MetricName(
        "False findings per image", "Regions of the mask that touch no lesion, per image.", "lower"
    ),
    "froc_mean_sensitivity": MetricName(
        "Mean FROC sensitivity",
        "Share of lesions that detections hit, averaged over 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per image.",
        "higher",
    ),
    "seconds_per_case": MetricName("Time per case", "From image to mask.", "lower", "s"),
    "peak_memory_mb": MetricName("Peak memory", "Largest memory in use.", "lower", "MB"),
}


@dataclass(frozen=True)
class MetricValue:
    """A metric as received: a value with its interval, or the reason why there is none.

    Args:
        value: the value, ``None`` if undefined.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        reason: why the value is undefined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @classmethod
    def read(cls, entry: object) -> MetricValue | None:
        """Read an entry of the metrics.

        Args:
            entry: ``{"value", "low", "high", "reason"?}``, a number or ``None``.

        Returns:
            The value, or ``None`` if the entry is not a single metric.
        """
        if not isinstance(entry, Mapping):
            is_number = entry is None or (isinstance(entry, (int, float)) and not isinstance(entry, bool))
            return cls(_finite(entry)) if is_number else None
        if "value" not in entry:
            return None
        reason = str(entry.get("reason") or "")
        return cls(_finite(entry["value"]), _finite(entry.get("low")), _finite(entry.get("high")), reason)

    @property
    def interval(self) -> str:
        """The interval as text, empty if there is none."""
        if self.value is None or self.low is None or self.high is None:
            return ""
        return f"{format_number(self.low)}\u2013{format_number(self.high)}"


def metric_name(key: str) -> MetricName:
    """Find how a metric is presented.

    Args:
        key: the metric's key, such as ``image_auroc``.

    Returns:
        Its presentation; an unknown key is shown as it is.
    """
    return METRIC_NAMES.get(key, MetricName(key, oracle=key.startswith("oracle_")))


def format_number(value: float | None) -> str:
    """Write a number with three decimals, or with three significant digits where it is large or tiny.

    Args:
        value: any number or ``None``.

    Returns:
        The text; ``n/a`` for ``None`` and numbers that are not finite.
    """
    if value is None or not math.isfinite(value):
        return NOT_APPLICABLE
    if value == 0 or 0.001 <= abs(value) < 10:
        return f"{value:.3f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 0.001 else f"{value:.1f}"


def format_p_value(value: float | None) -> str:
    """Write a p-value.

    Args:
        value: a p-value or ``None``.

    Returns:
        The text, with two significant digits.
    """
    if value is None or not math.isfinite(value):
        return NOT_APPLICABLE
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _finite(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
