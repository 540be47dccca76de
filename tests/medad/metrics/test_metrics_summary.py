# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from medad.metrics import AnomalyMetrics
from scipy import ndimage
from sklearn.metrics import roc_auc_score

PIXEL = ("pixel_auroc", "pixel_ap", "fpr95", "oracle_dice", "oracle_threshold", "aupro")
IMAGE = ("image_auroc", "image_ap")
AT_MASK = ("dice", "pixel_false_positive_rate", "lesion_sensitivity", "false_positives_per_image")
RATES = ("false_positive_rate", "true_positive_rate")


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


def test_the_result_is_json() -> None:
    result = count(make_cases((24, 26))).compute(bootstrap=20)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_images_only() -> None:
    metrics = AnomalyMetrics()
    for index in range(20):
        metrics.update_image(index % 7, int(index % 3 == 0), None, f"s{index}")
    result = metrics.compute(bootstrap=100)
    expected = roc_auc_score([index % 3 == 0 for index in range(20)], [index % 7 for index in range(20)])
    assert result["image_auroc"]["value"] == pytest.approx(expected)
    assert 0 <= result["image_auroc"]["low"] < expected < result["image_auroc"]["high"] <= 1
    for name in (*PIXEL, *AT_MASK, *RATES):
        assert result[name]["value"] is None
        assert result[name]["reason"]
    assert result["n"] == {"images": 20, "normal": 13, "abnormal": 7, "subjects": 20, "lesions": 0, "voxels": 0}


def test_nothing_at_all_is_undefined_with_reasons() -> None:
    result = AnomalyMetrics().compute(bootstrap=10)
    for name in (*PIXEL, *IMAGE, *AT_MASK, *RATES):
        assert result[name]["value"] is result[name]["low"] is result[name]["high"] is None
        assert result[name]["reason"]
    assert all(stratum["value"] is None and stratum["reason"] for stratum in result["lesion_sensitivity_by_size"])
    json.dumps(result)


def test_only_abnormal_cases_still_have_pixel_metrics() -> None:
    result = count([case for case in make_cases((24, 26)) if case.label == 1]).compute(bootstrap=20)
    for name in (*PIXEL, "dice", "lesion_sensitivity", "false_positives_per_image", "true_positive_rate"):
        assert result[name]["low"] is not None, name
    for name in (*IMAGE, "false_positive_rate", "pixel_false_positive_rate"):
        assert result[name]["value"] is None
        assert "normal" in result[name]["reason"]


def test_only_normal_cases_have_rates() -> None:
    result = count([case for case in make_cases((24, 26)) if case.label == 0]).compute(bootstrap=20)
    for name in ("false_positive_rate", "pixel_false_positive_rate", "false_positives_per_image"):
        assert result[name]["low"] is not None, name
    for name in (*PIXEL, *IMAGE, "dice", "lesion_sensitivity", "true_positive_rate"):
        assert result[name]["value"] is None, name


def test_one_subject_of_a_class_gives_no_interval() -> None:
    cases = make_cases((24, 26))
    result = count([case._replace(subject_id="only") for case in cases]).compute(bootstrap=20)
    for name in (*PIXEL, *IMAGE, *AT_MASK, *RATES):
        assert result[name]["value"] is not None
        assert result[name]["low"] is result[name]["high"] is None
        assert "2 subjects" in result[name]["reason"]
    lonely = [c._replace(subject_id="sick" if c.label else f"well{c.case}") for c in cases]
    result = count(lonely).compute(bootstrap=20)
    assert result["image_auroc"]["low"] is None
    assert result["false_positive_rate"]["low"] is not None


def test_without_predicted_masks() -> None:
    result = count([case._replace(pred=None) for case in make_cases((24, 26))]).compute(0)
    for name in AT_MASK:
        assert result[name]["value"] is None
    assert result["pixel_ap"]["value"] is not None
    assert result["n"]["lesions"] > 0
