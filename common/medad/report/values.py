# SPDX-License-Identifier: Apache-2.0
"""Values of metrics, and how numbers are written."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

NOT_APPLICABLE = "n/a"


class MetricValue(NamedTuple):
    """A metric: its value with the ends of its 95 % interval, or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @classmethod
    def read(cls, entry: object) -> "MetricValue | None":
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
    """Write a p-value with two significant digits.

    Args:
        value: a p-value or ``None``.

    Returns:
        The text; ``n/a`` for ``None`` and numbers that are not finite.
    """
    if value is None or not math.isfinite(value):
        return NOT_APPLICABLE
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)
