# SPDX-License-Identifier: Apache-2.0
"""Which charts a report has, and the points that its decisions take on them."""

from typing import Any

import pytest
from medad.report import CalibrationSummary
from medad.report.charts import _operating_points, draw_charts
from medad.report.records import Scores

CALIBRATION = CalibrationSummary([0.1, 0.2, float("inf")], score_threshold=0.3)
VALUE = {"value": 0.75, "low": 0.5, "high": 0.9}
FROC = {"sensitivity_at_false_positives": [{"false_positives_per_image": rate, **VALUE} for rate in (0.125, 1.0)]}
CURVE = [{"score": 0.9, "false_positives_per_image": 0.0, "sensitivity": 0.75}]


def scores(*rows: tuple[float, int | None, int | None]) -> Scores:
    return Scores.read([dict(zip(("score", "label", "decision"), row, strict=True)) for row in rows])


LABELED = scores((0.1, 0, 0), (0.4, 0, 1), (0.2, 1, 0), (0.6, 1, 1), (0.7, 1, 1))
UNLABELED = scores((0.1, None, 0), (0.4, None, 1))


@pytest.mark.parametrize(
    ("metrics", "table", "calibration", "curve", "titles"),
    [
        ({}, scores(), None, (), []),
        ({}, UNLABELED, None, (), ["Scores"]),
        ({}, scores(), CALIBRATION, (), ["Scores"]),
        ({}, scores((0.1, 0, 0)), None, (), ["Scores"]),
        ({}, LABELED, CALIBRATION, (), ["ROC curve of images", "Precision and recall of images", "Scores"]),
        ({"froc": FROC}, UNLABELED, None, CURVE, ["Free-response ROC", "Scores"]),
        ({"lesion_sensitivity_by_size": [{"low": 0, "high": 10, "n": 3, "value": 0.5}]}, UNLABELED, None, (),
         ["Lesions found, by size", "Scores"]),
        ({"lesion_sensitivity_by_size": "none"}, UNLABELED, None, (), ["Scores"]),
    ],
)  # fmt: skip
def test_only_what_the_data_define_is_drawn(
    metrics: dict[str, Any],
    table: Scores,
    calibration: CalibrationSummary | None,
    curve: list[dict[str, float]],
    titles: list[str],
) -> None:
    charts = draw_charts(metrics, table, calibration, curve)
    assert [chart.title for chart in charts] == titles
    assert [chart.title for chart in charts if chart.is_wide] == [title for title in titles if title == "Scores"]
    assert all(chart.svg.startswith("<svg") for chart in charts)


def test_words_tell_the_numbers() -> None:
    bins = [{"low": 0, "high": 10, "n": 3, "value": 0.5}, {"low": 10, "high": None, "n": 0, "value": None}]
    sizes, froc, _ = draw_charts({"lesion_sensitivity_by_size": bins, "froc": FROC}, UNLABELED, None, CURVE)
    assert sizes.words == "< 10: 0.500; \u2265 10: n/a"
    assert froc.words == "0.125: 0.750; 1: 0.750"


def test_operating_points() -> None:
    rates, recall_and_precision = _operating_points(LABELED)
    assert rates == pytest.approx((1 / 2, 2 / 3))
    assert recall_and_precision == pytest.approx((2 / 3, 2 / 3))
    assert _operating_points(scores((0.1, 0, 0), (0.2, 1, 0))) == ((0.0, 0.0), None)
    assert _operating_points(scores((0.1, 0, None), (0.2, 1, 1))) == (None, None)
