# SPDX-License-Identifier: Apache-2.0


import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.anomaly_map import Candidates
from medad.calibration import StoredCalibration
from medad.handlers import EvaluationRun


@pytest.mark.parametrize("dims", [2, 3])
def test_all_that_an_evaluation_leaves(
    dims: int, bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    failures = [{"case": "broken", "failure": "no pixels"}]
    run = EvaluationRun(out, calibration, bundle)
    run.metrics.bootstrap = 0
    evaluate(judged(dims), run, failures=failures)
    files = {".run.lock", "run.json", "scores.csv", "failures.csv", "metrics.json", "report.html", "cases.png"}
    assert {file.name for file in out.iterdir()} == files
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["n"]["images"] == 4 and metrics["image_auroc"]["value"] == 0.75 and "froc" not in metrics
    assert "broken,no pixels" in (out / "failures.csv").read_text()
    report = (out / "report.html").read_text()
    assert "Evaluation" in report and "no pixels" in report and "Toy - a test" in report


def test_the_seed_is_that_of_the_bootstrap(bundle: Path, calibration: StoredCalibration, tmp_path: Path) -> None:
    assert EvaluationRun(tmp_path, calibration, bundle, seed=7).metrics.seed == 7


def test_detections_have_a_table_and_slack(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    cases = judged(count=2)
    for case in cases:  # one detection each, three voxels below the lesion
        numbers = torch.tensor([0.5], dtype=torch.float64)
        found = Candidates(torch.tensor([[10.0, 5.0]]), torch.tensor([4]), numbers, numbers)
        case["detections"] = found
    sensitivities = []
    for slack in (2.0, 3.0):
        run = EvaluationRun(tmp_path / str(slack), calibration, bundle, detection_slack=slack)
        run.metrics.bootstrap = 0
        evaluate(cases, run)
        with (tmp_path / str(slack) / "detections.csv").open() as file:
            assert [row["case"] for row in csv.DictReader(file)] == ["c0", "c1"]
        metrics = json.loads((tmp_path / str(slack) / "metrics.json").read_text())
        sensitivities.append(metrics["froc"]["sensitivity_at_false_positives"][-1]["value"])
    assert sensitivities == [0.0, 1.0]
