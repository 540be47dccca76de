# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import torch
from medad.metrics import (
    FALSE_POSITIVE_RATES,
    DetectionRecord,
    FrocStatistic,
    match_detections,
    percentile_interval,
    resample,
    subject_weights,
    summarize_froc,
)


def _records(images: int = 12, seed: int = 0) -> list[DetectionRecord]:
    """Images of 5 subjects, some without lesions, some without detections, with equal scores among them."""
    generator = np.random.default_rng(seed)
    records = []
    for index in range(images):
        lesions = int(generator.integers(0, 4)) * (index % 3 > 0)
        detections = int(generator.integers(0, 9))
        hits = torch.from_numpy(generator.random((detections, lesions)) < 0.25)
        scores = torch.from_numpy(generator.integers(1, 8, detections) / 8)
        records.append(match_detections(hits, scores, f"subject {index % 5}"))
    return records


def test_interval_is_that_of_the_resampled_subjects_whatever_the_order() -> None:
    records = _records(30)
    summary = summarize_froc(records, bootstrap=200, seed=3)
    subjects = sorted({r.subject_id for r in records})
    samples = resample(FrocStatistic(records, subjects, FALSE_POSITIVE_RATES, False), subject_weights(5, 200, 3))
    for name, found in (
        ("mean_sensitivity", summary["mean_sensitivity"]),
        ("sensitivity_2", summary["sensitivity_at_false_positives"][2]),
    ):
        assert (found["low"], found["high"]) == percentile_interval(samples[name])
        assert found["low"] < found["value"] < found["high"] and "reason" not in found
    assert summarize_froc(records[::-1], bootstrap=200, seed=3) == summary
    assert json.loads(json.dumps(summary)) == summary
    assert summary["n"] == {
        "images": 30,
        "normal": sum(not len(r.lesion_scores) for r in records),
        "subjects": 5,
        "lesions": sum(len(r.lesion_scores) for r in records),
    }


def test_undefined_and_empty() -> None:
    normal = match_detections(torch.zeros(1, 0, dtype=torch.bool), torch.tensor([0.4]), "a")
    missed = [match_detections(torch.zeros(0, 2, dtype=torch.bool), torch.zeros(0), name) for name in "bc"]
    for records in ([], [normal]):
        found = summarize_froc(records, bootstrap=10)["mean_sensitivity"]
        assert found == {"value": None, "low": None, "high": None, "reason": "no lesion in the images"}
    found = summarize_froc(missed, bootstrap=10)
    assert found["mean_sensitivity"] == {"value": 0, "low": 0, "high": 0}
    assert found["sensitivity_at_false_positives"][0] == {
        "false_positives_per_image": 0.125,
        "value": 0,
        "low": 0,
        "high": 0,
    }
    found = summarize_froc(missed, normal_only=True, bootstrap=10)["mean_sensitivity"]
    assert found["value"] is None and "without a lesion" in found["reason"]
    found = summarize_froc([normal, *missed], normal_only=True, bootstrap=10)["mean_sensitivity"]
    assert found["value"] == 0 and found["low"] is None and "images without lesions" in found["reason"]
