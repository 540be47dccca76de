# SPDX-License-Identifier: Apache-2.0
"""The whole set of metrics: values by hand or scikit-learn, undefined cases, merging over ranks, bounded state."""

import io
import math
import pickle
import random
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.metrics import AnomalyMetrics
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

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


def assert_close(one: Any, other: Any) -> None:
    """Compare nested results to 1e-6."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-6)
    else:
        assert one == other


@pytest.mark.parametrize("shape", [(24, 26), (12, 13, 11)])
def test_values_against_scikit_learn(shape: tuple[int, ...]) -> None:
    cases = make_cases(shape)
    result = count(cases).compute(bootstrap=50)
    masks = [torch.zeros_like(c.anomaly_map, dtype=torch.uint8) if c.mask is None else c.mask for c in cases]
    labels = torch.stack(masks).numpy().ravel()
    scores = torch.stack([c.anomaly_map for c in cases]).numpy().ravel()
    preds = torch.stack([c.pred for c in cases if c.pred is not None]).numpy().ravel()
    image_labels, image_scores = [c.label for c in cases], [c.score for c in cases]
    expected = {
        "image_auroc": roc_auc_score(image_labels, image_scores),
        "image_ap": average_precision_score(image_labels, image_scores),
        "pixel_auroc": roc_auc_score(labels, scores),
        "pixel_ap": average_precision_score(labels, scores),
        "dice": f1_score(labels, preds),
        "oracle_dice": max(f1_score(labels, scores >= t) for t in np.quantile(scores, np.linspace(0.5, 1, 200))),
        "false_positive_rate": np.mean([c.decision for c in cases if c.label == 0]),
        "true_positive_rate": np.mean([c.decision for c in cases if c.label == 1]),
        "pixel_false_positive_rate": np.mean(
            [c.pred.numpy().mean() for c in cases if c.label == 0 and c.pred is not None]
        ),
    }
    for name, value in expected.items():
        assert result[name]["value"] == pytest.approx(value, abs=5e-3 if name == "oracle_dice" else 1e-3), name
    for name in (*PIXEL, *IMAGE, *AT_MASK, *RATES):
        assert set(result[name]) == {"value", "low", "high"}, name
        assert result[name]["low"] <= result[name]["high"]
        assert result[name]["low"] - 0.05 <= result[name]["value"] <= result[name]["high"] + 0.05 or name not in IMAGE
    assert result["n"] == {
        "images": 12,
        "normal": 6,
        "abnormal": 6,
        "subjects": 6,
        "lesions": sum(int(ndimage.label(m[0], np.ones((3,) * len(shape)))[1]) for m in masks),
        "voxels": labels.size,
    }
    threshold = result["oracle_threshold"]["value"]
    assert f1_score(labels, scores >= threshold) == pytest.approx(result["oracle_dice"]["value"], abs=1e-9)


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


def test_counts_by_hand() -> None:
    result = hand_made().compute(bootstrap=0)
    assert result["dice"]["value"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 3 + 11))
    assert result["pixel_false_positive_rate"]["value"] == pytest.approx(0.03)
    assert result["lesion_sensitivity"]["value"] == 0.5
    assert result["false_positives_per_image"]["value"] == 1.5
    small, large = result["lesion_sensitivity_by_size"]
    assert (small["low"], small["high"], small["n"], small["value"]) == (1, 5, 1, 1.0)
    assert (large["low"], large["high"], large["n"], large["value"]) == (5, None, 1, 0.0)
    assert result["n"] == {"images": 2, "normal": 1, "abnormal": 1, "subjects": 2, "lesions": 2, "voxels": 200}
    assert "bootstrap = 0" in result["dice"]["reason"]
    assert result["false_positive_rate"]["value"] is None


def test_rates_do_not_confuse_the_two_kinds_of_errors() -> None:
    """Published code of the field calls FN / (FN + TN) the false-positive rate, and exchanges precision and recall."""
    metrics = AnomalyMetrics()
    decisions = {0: [1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 1: [1, 1, 1, 0]}  # FP 3, TN 7; TP 3, FN 1
    for label, flags in decisions.items():
        for number, decision in enumerate(flags):
            metrics.update_image(0.5, label, decision=decision, subject_id=f"{label}{number}", case=f"{label}{number}")
    result = metrics.compute(bootstrap=0)
    assert result["false_positive_rate"]["value"] == pytest.approx(3 / 10)
    assert result["true_positive_rate"]["value"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("ranks", [2, 5])
def test_any_split_over_ranks_gives_the_same(seed: int, ranks: int) -> None:
    cases = make_cases((16, 18))
    expected = count(cases).compute(bootstrap=40)
    random.Random(seed).shuffle(cases)
    states = [pickle.loads(pickle.dumps(count(cases[rank::ranks]).state_dict())) for rank in range(ranks)]
    states.append(AnomalyMetrics().state_dict())
    assert_close(AnomalyMetrics.merge(states).compute(bootstrap=40), expected)


def test_the_state_loads_without_code() -> None:
    buffer = io.BytesIO()
    state = count(make_cases((16, 18))).state_dict()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=True)
    assert_close(AnomalyMetrics.merge([loaded]).compute(0), AnomalyMetrics.merge([state]).compute(0))


def test_merge_keeps_and_compares_settings() -> None:
    states = [AnomalyMetrics(fpr_limit=limit).state_dict() for limit in (0.2, 0.2, 0.3)]
    assert AnomalyMetrics.merge(states[:2]).fpr_limit == 0.2
    with pytest.raises(ValueError, match="settings"):
        AnomalyMetrics.merge(states)
    with pytest.raises(ValueError, match="at least one"):
        AnomalyMetrics.merge([])


def test_a_case_counted_twice_is_refused() -> None:
    cases = make_cases((16, 18))
    metrics = count(cases)
    with pytest.raises(InputError, match=r"c3.*already counted"):
        metrics.update(cases[3].anomaly_map, None, subject_id="x", case="c3")
    with pytest.raises(InputError, match=r"c3.*already counted"):
        metrics.update_image(1.0, 0, 0, "x", case="c3")
    with pytest.raises(InputError, match="even_divisible"):
        AnomalyMetrics.merge([count(cases[:3]).state_dict(), count(cases[2:]).state_dict()])
    metrics.reset()
    assert metrics.compute(0)["n"]["voxels"] == 0


def test_same_seed_same_interval_other_seed_other_interval() -> None:
    metrics = count(make_cases((16, 18)))
    assert metrics.compute(50, seed=3) == metrics.compute(50, seed=3)
    assert metrics.compute(50, seed=3)["pixel_ap"]["low"] != metrics.compute(50, seed=4)["pixel_ap"]["low"]


@pytest.mark.parametrize(("score", "label", "decision"), [(math.nan, 0, 0), (1.0, 2, 0), (1.0, 0, 3)])
def test_bad_image_result_is_refused(score: float, label: int, decision: int) -> None:
    with pytest.raises(InputError, match="Expected"):
        AnomalyMetrics().update_image(score, label, decision, "a")


@pytest.mark.parametrize(
    "settings", [{"size_edges": (5, 5)}, {"size_edges": (1,)}, {"detection_fraction": -0.1}, {"fpr_limit": 0.0}]
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        AnomalyMetrics(**settings)


def test_negative_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="bootstrap"):
        AnomalyMetrics().compute(bootstrap=-1)


def test_the_state_does_not_grow_with_the_voxels() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for side in (200, 800):
        metrics = AnomalyMetrics()
        for index in range(2):
            scores = torch.randn(1, side, side, generator=generator).exp()
            metrics.update(scores, (scores > 5).float(), subject_id=f"s{index}", case=f"c{index}")
        subject = metrics.state_dict()["subjects"]["s0"]["histogram"]
        sizes.append(sum(field.nbytes for field in subject))
        assert sizes[-1] < 60_000
        assert sum(field.nbytes for field in metrics.histogram) < 2_000_000
    assert sizes[1] < 1.5 * sizes[0]


def test_many_cases_are_joined_before_they_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medad.metrics.accumulator._PENDING_BINS", 100)
    cases = make_cases((16, 18), n=12)
    metrics = AnomalyMetrics()
    longest = 0
    for case in cases:
        metrics.update(case.anomaly_map, case.mask, case.pred, subject_id=case.subject_id, case=case.case)
        longest = max(longest, len(metrics._pending))
    assert longest < 6
    assert int(metrics.histogram.negatives.sum() + metrics.histogram.positives.sum()) == 12 * 16 * 18
