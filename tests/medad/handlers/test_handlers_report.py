# SPDX-License-Identifier: Apache-2.0
"""The handler of the report: which cases are chosen, on which scale, and what it says of the calibration."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.anomaly_map import Candidates
from medad.calibration import StoredCalibration
from medad.handlers import ReportHandler
from medad.handlers.report import MAX_DETECTIONS, _marks, spread_over_scores
from medad.report import CaseRecord


def test_highest_middle_and_lowest_score_of_each_label() -> None:
    records = [CaseRecord(f"{label}_{score}", score / 10, label) for label in (0, 1) for score in range(5)]
    records += [CaseRecord("unknown", 0.5)]
    chosen = [record.name for record in spread_over_scores(records)]
    assert chosen == ["1_4", "1_2", "1_0", "0_4", "0_2", "0_0", "unknown"]
    assert [record.name for record in spread_over_scores(records[:2])] == ["0_1", "0_0"]


@pytest.mark.parametrize(
    ("dims", "size", "radius"), [(2, 7, math.sqrt(7 / math.pi)), (3, 36, (27 / math.pi) ** (1 / 3))]
)
def test_detections_are_drawn_as_large_as_they_are(dims: int, size: int, radius: float) -> None:
    count = MAX_DETECTIONS + 2
    numbers = torch.linspace(1, 0, count)
    found = Candidates(torch.rand(count, dims), torch.full((count,), size), numbers, numbers)
    case = {"case": "a", "anomaly_map": torch.zeros(1, *(8,) * dims), "detections": found, "circles": []}
    truth, drawn = _marks(case)
    assert truth is None and drawn is not None and drawn.shape == (MAX_DETECTIONS, dims + 1)
    torch.testing.assert_close(drawn[:, :dims], found.centroids[:MAX_DETECTIONS].double())
    assert drawn[0, -1] == pytest.approx(radius)
    circles = [[1.0] * (dims + 1)]
    truth, drawn = _marks({"case": "a", "anomaly_map": case["anomaly_map"], "circles": circles})
    assert drawn is None and truth is not None and truth.tolist() == circles


@pytest.mark.parametrize("dims", [2, 3])
def test_the_page_says_what_cases_were_judged_by(
    dims: int, bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    handler = ReportHandler(tmp_path / "out", "Inference", bundle, calibration)
    evaluate(judged(dims), handler)
    page = (tmp_path / "out" / "report.html").read_text()
    assert str(calibration.weights_sha256)[:12] in page and str(calibration.file_sha256)[:12] in page
    assert "40" in page and "Toy - a test" in page
    assert handler.gallery.map_max == pytest.approx(4 * calibration.voxel_threshold())
    assert (tmp_path / "out" / "cases.png").stat().st_size > 1000


def test_without_calibration_the_scale_is_the_given_one(
    bundle: Path, judged: Any, evaluate: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = StoredCalibration(tmp_path / "none.json", bundle / "model.pt")
    handler = ReportHandler(tmp_path / "out", "Inference", bundle, stored, map_white=0.25)
    evaluate(judged(), handler)
    assert handler.gallery.map_max == 0.25
    assert "report without calibration: " in caplog.text


def test_a_continued_run_without_new_cases_leaves_the_report(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "out" / "report.html"
    evaluate(judged(count=1), ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    before = path.read_bytes()
    evaluate([], ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    assert path.read_bytes() == before
    failures = [{"case": "broken", "failure": "no pixels"}]
    evaluate([], ReportHandler(tmp_path / "out", "Inference", bundle, calibration), failures=failures)
    assert "no pixels" in path.read_text()


def test_notes_are_counted(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    cases = judged(count=4)
    for case in cases[1:]:
        case["note"] = "Made from <slices>."
    evaluate(cases, ReportHandler(tmp_path / "out", "Inference", bundle, calibration))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Read with care" in page and "Made from &lt;slices&gt;." in page and "3 cases" in page
