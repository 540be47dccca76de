# SPDX-License-Identifier: Apache-2.0
"""How numbers are written, and how metrics are read."""

import pytest
from medad.report.values import MetricValue, format_number, format_p_value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.91449, "0.914"), (0, "0.000"), (0.00002, "2e-05"), (12.345, "12.3"), (51234.5, "51,234"), (None, "n/a"),
     (float("nan"), "n/a"), (-0.5, "-0.500")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0004, "< 0.001"), (0.0123, "0.012"), (0.5, "0.50"), (None, "n/a")])
def test_p_values(value: float | None, text: str) -> None:
    assert format_p_value(value) == text


def test_metrics_are_read_as_the_evaluation_writes_them() -> None:
    assert MetricValue.read({"value": 0.9, "low": 0.8, "high": 1.0}).interval == "0.800\u20131.000"
    assert MetricValue.read({"value": 0.9}).interval == ""
    assert MetricValue.read({"value": float("nan")}).value is None
    assert MetricValue.read({"value": None, "reason": "no masks"}) == (None, None, None, "no masks")
    assert MetricValue.read(None).value is None
    assert MetricValue.read(7) == (7.0, None, None, "")
    for no_metric in ({"images": 3}, "text", [1], True):
        assert MetricValue.read(no_metric) is None
