# SPDX-License-Identifier: Apache-2.0
"""Pooled metrics against the arrays of all folds put together by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from medad.calibration import Calibration
from medad.crossval import over_folds, pool, pooled_detections
from medad.crossval.__main__ import _SHOWN as SHOWN
from medad.crossval.__main__ import summary
from medad.crossval.standardization import FoldResults
from medad.errors import InputError
from medad.metrics import DetectionRecord

RATE = 0.1


def _calibration(scores: list[float], weights: list[float], threshold: float, dataset: str = "") -> Calibration:
    return Calibration(
        scores=tuple(scores),
        score_weights=tuple(weights),
        subjects=len(scores),
        voxels=100,
        effective_voxels=100.0,
        voxel_rates=(0.5, RATE),
        voxel_thresholds=(0.0, threshold),
        data_sha256="",
        weights_sha256="",
        medad_version="",
        dataset=dataset,
    )


def _cases(fold: int, dims: int, count: int = 8) -> list[dict[str, Any]]:
    """Cases whose raw scores and maps are on another scale in every fold."""
    generator = torch.Generator().manual_seed(fold)
    cases = []
    for index in range(count):
        label = index % 2
        mask = torch.zeros(1, *(6,) * dims, dtype=torch.uint8)
        mask[:, 1:3, 1:3] = label
        anomaly_map = 10**fold * (torch.rand(mask.shape, generator=generator) + 0.5 * mask)
        cases.append(
            {
                "case": f"f{fold}_{index}",
                "subject_id": f"f{fold}_{index // 2}",
                "label": label,
                "mask": mask,
                "pred": (anomaly_map > 10**fold).to(torch.uint8),
                "anomaly_map": anomaly_map,
                "anomaly_score": float(anomaly_map.mean()) + 5 * fold,
                "p_value": (1 + index % 5) / 9,
                "decision": int(index % 3 == 0),
            }
        )
    return cases


def _collect(cases: list[dict[str, Any]], calibration: Calibration) -> FoldResults:
    engine = Engine(lambda engine, batch: batch)
    results = FoldResults(calibration, RATE)
    results.attach(engine)
    engine.run([cases[:3], cases[3:]])
    return results


def _auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Compare every abnormal score with every normal one."""
    difference = scores[labels == 1][:, None] - scores[labels == 0]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


@pytest.mark.parametrize("dims", [2, 3])
def test_pooled_metrics_are_those_of_all_cases_together(dims: int) -> None:
    calibrations = [_calibration([0.2, 0.4, 0.8], [0.5, 1.5, 1.0], 0.7), _calibration([8.0, 12.0], [1, 1], 8.0)]
    folds = [_cases(fold, dims) for fold in (0, 1)]
    found = pool([_collect(c, k).states({}) for c, k in zip(folds, calibrations, strict=True)], bootstrap=50)
    cases = [case for part in folds for case in part]
    labels = np.array([case["label"] for case in cases])
    raw = np.array([case["anomaly_score"] for case in cases])
    # by hand: the mean is (0.1 + 0.6 + 0.8) / 3 = 0.5, the variance (0.5 * 0.09 + 1.5 * 0.01 + 0.09) / 3 = 0.05
    standardized = np.r_[(raw[:8] - 0.5) / math.sqrt(0.05), (raw[8:] - 10) / 2]
    p_values = np.array([case["p_value"] for case in cases])
    assert found["image_auroc"]["value"] == pytest.approx(_auroc(standardized, labels))
    assert found["raw"]["image_auroc"]["value"] == pytest.approx(_auroc(raw, labels))
    assert found["p_value"]["image_auroc"]["value"] == pytest.approx(_auroc(-p_values, labels))
    assert len({found["image_auroc"]["value"], found["raw"]["image_auroc"]["value"]}) == 2
    truth = np.concatenate([case["mask"].numpy().ravel() for case in cases])
    maps = np.concatenate([case["anomaly_map"].numpy().ravel() for case in cases])
    scale = np.repeat([0.7, 8.0], len(maps) // 2)
    assert found["pixel_auroc"]["value"] == pytest.approx(_auroc(maps / scale, truth), abs=2e-4)
    assert found["raw"]["pixel_auroc"]["value"] == pytest.approx(_auroc(maps, truth), abs=2e-4)
    flagged = np.array([case["decision"] for case in cases])
    assert found["false_positive_rate"]["value"] == pytest.approx(flagged[labels == 0].mean())
    assert found["n"]["images"] == 16 and found["n"]["subjects"] == 8
    assert found["image_auroc"]["low"] < found["image_auroc"]["value"] < found["image_auroc"]["high"]


def test_a_case_in_two_folds_is_refused() -> None:
    state = _collect(_cases(0, 2), _calibration([1.0, 3.0], [1, 1], 0.5)).states({})
    with pytest.raises(InputError, match="already counted"):
        pool([state, state], bootstrap=0)


def test_mean_and_deviation_over_folds() -> None:
    folds = [{"dice": {"value": value}, "n": {"images": 3}} for value in (0.2, None, 0.6)]
    assert over_folds(folds) == {"dice": {"mean": pytest.approx(0.4), "sd": pytest.approx(math.sqrt(0.08)), "folds": 2}}
    assert over_folds(folds[1:2]) == {"dice": {"mean": None, "sd": None, "folds": 0}}


def test_detections_are_pooled_in_units_of_the_voxel_threshold() -> None:
    states = []
    for fold, threshold in enumerate((0.5, 8.0)):
        results = _collect(_cases(fold, 2), _calibration([1.0, 3.0], [1, 1], threshold))
        # both lesions of a fold are found at 1.5 thresholds; its only false positive is at one
        lesions, false = torch.tensor([1.5, 1.5, -math.inf]) * threshold, torch.tensor([1.0]) * threshold
        abnormal = DetectionRecord(lesions.double(), false.double(), f"f{fold}_0")
        nothing = torch.zeros(0, dtype=torch.float64)
        states.append(results.states({"": [abnormal, DetectionRecord(nothing, nothing, f"f{fold}_1")]}))
    found = pool(states, bootstrap=20)
    assert found["froc"]["n"] == {"images": 4, "normal": 2, "subjects": 4, "lesions": 6}
    at_rates = found["froc"]["sensitivity_at_false_positives"]
    assert at_rates[0]["value"] == pytest.approx(2 / 3)  # all four before any false positive
    # raw: at 12 and 8 the second fold's lesions and its false positive (1/4 per image), then the first fold's
    raw = [entry["value"] for entry in found["raw"]["froc"]["sensitivity_at_false_positives"]]
    assert raw[0] == pytest.approx(1 / 3) and raw[1] == pytest.approx(2 / 3)
    records = pooled_detections(states, "raw")
    assert records is not None and records[2].lesion_scores.tolist() == [12.0, 12.0, -math.inf]
    assert pooled_detections([{**state, "detections": {}} for state in states]) is None
    assert "froc" not in pool([{**state, "detections": {}} for state in states], bootstrap=0)


def test_the_summary_says_what_is_found_and_what_is_not_defined() -> None:
    metrics: dict[str, Any] = {name: {"value": None, "reason": "no mask"} for name in SHOWN}
    metrics["image_auroc"] = {"value": 0.75, "low": 0.6, "high": 0.9}
    metrics["over_folds"] = {name: {"mean": 0.7, "sd": 0.1} for name in SHOWN}
    metrics["froc"] = {"mean_sensitivity": {"value": 0.25, "low": None, "high": None}}
    lines = summary(metrics).splitlines()
    assert lines[1].split() == ["image_auroc", "0.750", "(0.600", "to", "0.900)", "0.700", "±", "0.100"]
    assert lines[2].endswith("not defined: no mask")
    assert lines[-1].split()[:4] == ["mean_sensitivity", "0.250", "(no", "interval),"]
