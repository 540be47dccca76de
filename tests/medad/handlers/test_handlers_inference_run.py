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
from medad.errors import InputError
from medad.handlers import InferenceRun


def _unlabeled(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in case.items() if key not in ("mask", "label")} for case in cases]


@pytest.mark.parametrize(("dims", "ending"), [(2, ".npy"), (3, ".nii.gz")])
def test_all_that_an_inference_leaves(
    dims: int,
    ending: str,
    bundle: Path,
    calibration: StoredCalibration,
    judged: Any,
    evaluate: Callable[..., Any],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    evaluate(_unlabeled(judged(dims)), InferenceRun(out, calibration, bundle))
    names = {file.name for file in out.iterdir()}
    files = {".run.lock", "run.json", "scores.csv", "failures.csv", "report.html", "cases.png"}
    assert names == files | {"c0", "c1", "c2", "c3"}
    assert {f"c1_mask{ending}", f"c1_anomaly_map{ending}"} <= {file.name for file in (out / "c1").iterdir()}
    record = json.loads((out / "run.json").read_text())
    assert record["pred_name"] == "mask" and record["dicom_output"] is True
    assert record["weights_sha256"] == calibration.weights_sha256
    assert "Inference" in (out / "report.html").read_text()


def test_a_resumed_run_keeps_rows_and_must_be_the_same(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    cases = _unlabeled(judged())
    evaluate(cases[:2], InferenceRun(tmp_path / "out", calibration, bundle))
    evaluate(cases[2:], InferenceRun(tmp_path / "out", calibration, bundle, resume=True), finished=cases[:2])
    with (tmp_path / "out" / "scores.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["c0", "c1", "c2", "c3"]
    with pytest.raises(InputError, match="the earlier run had pred_name mask"):
        evaluate(cases, InferenceRun(tmp_path / "out", calibration, bundle, pred_name="heatmap", resume=True))


def test_detections_have_a_table(
    bundle: Path, calibration: StoredCalibration, judged: Any, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    cases = _unlabeled(judged(count=1))
    numbers = torch.tensor([0.5], dtype=torch.float64)
    cases[0]["detections"] = Candidates(torch.tensor([[10.0, 5.0]]), torch.tensor([4]), numbers, numbers)
    for detections in (True, False):
        out = tmp_path / str(detections)
        evaluate(cases, InferenceRun(out, calibration, bundle, detections=detections))
        assert (out / "detections.csv").exists() == detections


def test_weights_must_be_named(bundle: Path, calibration: StoredCalibration, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name the weights of the run"):
        InferenceRun(tmp_path, StoredCalibration(calibration.path), bundle)
