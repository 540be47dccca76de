# SPDX-License-Identifier: Apache-2.0
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.metrics import AnomalyMetrics
from monai.data import MetaTensor
from scipy import ndimage

PIXEL = ("pixel_auroc", "pixel_ap", "fpr95", "oracle_dice", "oracle_threshold", "aupro")
AT_MASK = ("dice", "pixel_false_positive_rate", "lesion_sensitivity", "false_positives_per_image")


class Case(NamedTuple):
    anomaly_map: torch.Tensor
    mask: torch.Tensor | None
    pred: torch.Tensor | None
    score: float
    label: int
    decision: int
    subject_id: str
    case: str


def make_cases(shape: tuple[int, ...], n: int = 12, subjects: int = 6) -> list[Case]:
    rng = np.random.default_rng(7)
    cases = []
    for index in range(n):
        label = index % 2
        mask = ndimage.binary_dilation(rng.random(shape) < (0.006 if label else 0), iterations=2)
        if label:
            mask[(shape[0] // 2,) * len(shape)] = True
        scores = np.exp(rng.standard_normal(shape) + 2 * mask).astype(np.float32)
        score = float(np.quantile(scores, 0.99))
        cases.append(
            Case(
                torch.from_numpy(scores)[None],
                torch.from_numpy(mask)[None].to(torch.uint8) if label else None,
                torch.from_numpy(scores > 4)[None].to(torch.uint8),
                score,
                label,
                int(score > 15),
                f"s{index % subjects}",
                f"c{index}",
            )
        )
    return cases


def count(cases: list[Case], **settings: Any) -> AnomalyMetrics:
    metrics = AnomalyMetrics(**settings)
    for case in cases:
        metrics.update(case.anomaly_map, case.mask, case.pred, subject_id=case.subject_id, case=case.case)
        metrics.update_image(case.score, case.label, case.decision, case.subject_id, case=case.case)
    return metrics


def hand_made() -> AnomalyMetrics:
    metrics = AnomalyMetrics(size_edges=(5,))
    truth, pred = torch.zeros(1, 10, 10), torch.zeros(1, 10, 10)
    truth[0, 0, 0:4] = 1
    truth[0, 5:8, 5:8] = 1
    pred[0, 0, 0:2] = 1
    pred[0, 9, 0] = 1
    metrics.update(pred + 1, truth, pred, subject_id="a", case="1")
    normal = torch.zeros(1, 10, 10)
    normal[0, 2, 2] = normal[0, 4, 4] = normal[0, 4, 5] = 1
    metrics.update(normal + 1, None, normal, subject_id="b", case="2")
    return metrics


def test_a_normal_image_with_an_empty_mask_does_not_raise_dice() -> None:
    """Published code of the field counts nothing found where nothing is as a Dice of 1, and averages."""
    metrics = hand_made()
    before = metrics.compute(bootstrap=0)["dice"]["value"]
    empty = torch.zeros(1, 10, 10)
    for number in range(3):
        metrics.update(empty + 1, None, empty, subject_id=f"n{number}", case=f"n{number}")
    assert metrics.compute(bootstrap=0)["dice"]["value"] == before < 1


def test_detection_fraction_matters() -> None:
    cases = make_cases((24, 26))
    found = [count(cases, detection_fraction=f).compute(0)["lesion_sensitivity"]["value"] for f in (0.0, 0.1, 0.9, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_constant_map() -> None:
    metrics = AnomalyMetrics()
    mask = torch.zeros(1, 8, 8)
    mask[0, :2] = 1
    metrics.update(torch.full((1, 8, 8), 0.5), mask, torch.zeros(1, 8, 8), subject_id="a", case="1")
    result = metrics.compute(0)
    assert result["pixel_auroc"]["value"] == 0.5
    assert result["pixel_ap"]["value"] == 0.25
    assert result["fpr95"]["value"] == 1
    assert result["oracle_dice"]["value"] == pytest.approx(2 * 16 / (64 + 16))
    assert result["oracle_threshold"]["value"] == 0.5
    assert result["aupro"]["value"] == pytest.approx(0.15)
    assert result["dice"]["value"] == 0


def test_negative_scores_and_other_types() -> None:
    cases = make_cases((24, 26))
    shifted = [c._replace(anomaly_map=MetaTensor(c.anomaly_map.log().double()), pred=c.pred.bool()) for c in cases]
    assert any(bool((c.anomaly_map < 0).any()) for c in shifted)
    one, other = count(cases).compute(0), count(shifted).compute(0)
    for name in (*PIXEL, *AT_MASK):
        if name != "oracle_threshold":
            assert other[name]["value"] == pytest.approx(one[name]["value"], abs=1e-3)
    assert other["oracle_threshold"]["value"] == pytest.approx(math.log(one["oracle_threshold"]["value"]), abs=0.3)


def test_tiny_input() -> None:
    metrics = AnomalyMetrics()
    metrics.update(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), subject_id="a", case="1")
    result = metrics.compute(10)
    assert result["dice"]["value"] == 1
    assert "0 normal and 1 abnormal" in result["pixel_ap"]["reason"]


GOOD = torch.zeros(1, 4, 4)
BAD_UPDATES = {
    "no channel": (torch.zeros(4, 4), None, None, "one channel"),
    "two channels": (torch.zeros(2, 4, 4), None, None, "one channel"),
    "empty": (torch.zeros(1, 0, 4), None, None, "one channel"),
    "nan": (torch.full((1, 4, 4), torch.nan), None, None, "NaN"),
    "mask shape": (GOOD, torch.zeros(1, 4, 5), None, "mask of shape"),
    "pred shape": (GOOD, GOOD, torch.zeros(1, 5, 4), "pred of shape"),
    "mask values": (GOOD, GOOD + 2, None, "mask with values"),
    "pred values": (GOOD, GOOD, GOOD + 0.5, "pred with values"),
    "pred nan": (GOOD, GOOD, GOOD * torch.nan, "pred with values"),
}


@pytest.mark.parametrize("name", BAD_UPDATES)
def test_bad_case_is_refused_and_leaves_no_trace(name: str) -> None:
    anomaly_map, mask, pred, message = BAD_UPDATES[name]
    metrics = AnomalyMetrics()
    with pytest.raises(InputError, match=message) as error:
        metrics.update(anomaly_map, mask, pred, subject_id="a", case="case_7")
    assert error.value.where == "case_7"
    metrics.update(GOOD, None, subject_id="a", case="case_7")
    assert metrics.compute(0)["n"]["voxels"] == 16
