# SPDX-License-Identifier: Apache-2.0
"""The free-response ROC against thresholds tried one by one, against MONAI, and against copies of subjects."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from medad.metrics import (
    FALSE_POSITIVE_RATES,
    DetectionRecord,
    FrocStatistic,
    froc_curve,
    hits_in_components,
    match_detections,
    resample,
    sensitivity_at_false_positives,
    subject_weights,
    summarize_froc,
)
from medad.morphology import label_components
from monai.metrics import compute_froc_curve_data, compute_froc_score
from monai.metrics.froc import compute_fp_tp_probs_nd


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


def _brute_force(records: Sequence[DetectionRecord], rate: float, normal_only: bool) -> float:
    """Try every threshold, from above all scores down, and interpolate between the two around the rate."""
    counted = [r for r in records if not (normal_only and len(r.lesion_scores))]
    false = [s for r in counted for s in r.false_positive_scores.tolist()]
    best = [s for r in records for s in r.lesion_scores.tolist()]
    points = [(0.0, 0.0)]
    points += [
        (sum(s >= t for s in false) / len(counted), sum(s >= t for s in best) / len(best))
        for t in sorted({*false, *best} - {-np.inf}, reverse=True)
    ]
    before = [p for p in points if p[0] <= rate][-1]
    after = [p for p in points if p[0] > rate]
    if not after:
        return before[1]
    return before[1] + (after[0][1] - before[1]) * (rate - before[0]) / (after[0][0] - before[0])


@pytest.mark.parametrize("normal_only", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equals_all_thresholds_tried(normal_only: bool, seed: int) -> None:
    records = _records(seed=seed)
    summary = summarize_froc(records, normal_only=normal_only, bootstrap=0)
    expected = [_brute_force(records, rate, normal_only) for rate in FALSE_POSITIVE_RATES]
    entries = summary["sensitivity_at_false_positives"]
    assert [e["false_positives_per_image"] for e in entries] == [0.125, 0.25, 0.5, 1, 2, 4, 8]
    np.testing.assert_allclose([e["value"] for e in entries], expected, rtol=1e-12)
    assert summary["mean_sensitivity"]["value"] == pytest.approx(np.mean(expected), rel=1e-12)
    assert len(set(expected)) > 3


@pytest.mark.parametrize("dims", [2, 3])
def test_equals_monai_where_a_lesion_is_missed(dims: int) -> None:
    """Points in lesions of a mask; MONAI gives a missed lesion the score 0 and drops the lowest score."""
    masks, fp, tp, records = torch.rand(4, *(16 if dims == 2 else 8,) * dims) < 0.05, [], [], []
    for index, mask in enumerate(masks):
        components = label_components(mask)
        points = torch.cat([torch.randint(8, (30, dims)), components.nonzero()[::5]])
        scores = torch.rand(len(points)) * 0.9 + 0.1
        false, true, _ = compute_fp_tp_probs_nd(scores.numpy(), points.numpy(), components.numpy())
        fp.append(false)
        tp.append(true)
        records.append(match_detections(hits_in_components(points, components), scores, str(index)))
    lesions = np.concatenate(tp)
    assert 0 < (lesions == 0).sum() < len(lesions)
    x, y = compute_froc_curve_data(np.concatenate(fp), lesions, len(lesions), 4)
    rates = FALSE_POSITIVE_RATES
    value = summarize_froc(records, rates, bootstrap=0)["mean_sensitivity"]["value"]
    assert value == pytest.approx(compute_froc_score(x, y, rates), rel=1e-6)
    for threshold in (0.2, 0.5, 3.0):
        value = summarize_froc(records, [threshold], bootstrap=0)["mean_sensitivity"]["value"]
        assert value == pytest.approx(compute_froc_score(x, y, (threshold,)), rel=1e-6)


def test_the_lowest_threshold_counts_when_all_lesions_are_found() -> None:
    """The operating point that MONAI's curve lacks."""
    record = match_detections(torch.tensor([[True]]), torch.tensor([0.7]), "a")
    assert summarize_froc([record], bootstrap=0)["mean_sensitivity"]["value"] == 1
    x, y = compute_froc_curve_data(np.array([]), np.array([0.7]), 1, 1)
    assert compute_froc_score(x, y) == 0


def test_hand_made_curve() -> None:
    false, found = torch.tensor([2, 0, 1]), torch.tensor([0, 1, 1])
    x, y = froc_curve(false, found, torch.tensor(2), torch.tensor(4))
    assert x.tolist() == [0, 0.5, 0.5, 1.5] and y.tolist() == [0, 0.25, 0.5, 0.5]
    # half-way up to the first point; the upper end of the vertical step; level from there on
    assert sensitivity_at_false_positives(x, y, [0.0, 0.25, 0.5, 1.0, 9.0]).tolist() == [0, 0.125, 0.5, 0.5, 0.5]


def test_lesions_above_all_false_positives_are_found_at_any_rate() -> None:
    x, y = froc_curve(torch.tensor([3, 0]), torch.tensor([0, 2]), torch.tensor(1), torch.tensor(2))
    assert sensitivity_at_false_positives(x, y, [0.0, 0.125, 8.0]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("normal_only", [False, True])
def test_a_weight_is_a_number_of_copies(normal_only: bool) -> None:
    records = _records()
    subjects = sorted({r.subject_id for r in records})
    statistic = FrocStatistic(records, subjects, FALSE_POSITIVE_RATES, normal_only)
    weights = subject_weights(5, 20)
    values = resample(statistic, weights)["mean_sensitivity"]
    defined = 0
    for row, value in zip(weights.tolist(), values.tolist(), strict=True):
        copies = [r for r in records for _ in range(row[subjects.index(r.subject_id)])]
        if sum(len(r.lesion_scores) for r in copies):
            expected = np.mean([_brute_force(copies, rate, normal_only) for rate in FALSE_POSITIVE_RATES])
            assert value == pytest.approx(expected, rel=1e-12)
            defined += 1
    assert defined > 10


@pytest.mark.parametrize("rates", [[], [-1.0], [float("nan")]])
def test_bad_rates(rates: list[float]) -> None:
    with pytest.raises(ValueError, match="rates"):
        summarize_froc(_records(), rates)
