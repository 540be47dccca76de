# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.calibration import Calibration
from medad.crossval.standardization import FoldResults, Standardization
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


def test_rows_hold_what_was_pooled() -> None:
    results = _collect(_cases(0, 2), _calibration([1.0, 3.0], [1, 1], 0.5))
    score = _cases(0, 2)[1]["anomaly_score"]
    row = results.rows[1]
    assert (row["case"], row["subject_id"], row["label"], row["decision"]) == ("f0_1", "f0_0", 1, 0)
    assert float(row["score"]) == pytest.approx(score) and float(row["standardized_score"]) == pytest.approx(score - 2)


def test_a_data_set_with_a_calibration_of_its_own_is_standardized_by_it() -> None:
    own = _calibration([10.0, 14.0], [1, 1], 2.0, "brain")
    both = _calibration([1.0, 3.0, 10.0, 14.0], [1, 1, 1, 1], 1.0)
    cases = [{**case, "dataset": "brain"} for case in _cases(0, 2)]
    row = _collect(cases, Calibration(**{**vars(both), "groups": {"brain": own}})).rows[0]
    assert float(row["standardized_score"]) == pytest.approx((cases[0]["anomaly_score"] - 12) / 2)
    assert row["dataset"] == "brain"


@pytest.mark.parametrize(("scores", "threshold"), [([2.0, 2.0], 0.5), ([1.0, 3.0], 0.0)])
def test_a_calibration_without_any_spread_is_no_yardstick(scores: list[float], threshold: float) -> None:
    with pytest.raises(InputError, match="both above 0"):
        FoldResults(_calibration(scores, [1, 1], threshold), RATE)


@pytest.mark.parametrize("dims", [2, 3])
def test_score_map_and_detections_are_brought_to_one_scale(dims: int) -> None:
    scale = Standardization(_calibration([1.0, 3.0], [1, 1], 0.5), RATE)
    case = _cases(0, dims)[1]
    standardized = scale.case(case)
    assert standardized["anomaly_score"] == pytest.approx((case["anomaly_score"] - 2.0) / 1.0)
    assert torch.equal(standardized["anomaly_map"], case["anomaly_map"] / 0.5)
    assert torch.equal(standardized["mask"], case["mask"]) and standardized["case"] == case["case"]
    record = scale.detections(DetectionRecord(torch.tensor([0.5, -torch.inf]), torch.tensor([1.5]), "s"))
    assert record.lesion_scores.tolist() == [1.0, -torch.inf] and record.false_positive_scores.tolist() == [3.0]
