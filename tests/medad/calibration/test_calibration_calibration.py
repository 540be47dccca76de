# SPDX-License-Identifier: Apache-2.0
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from medad.calibration import Calibration, CalibrationBuilder, voxel_rate_grid
from medad.errors import CalibrationError
from scipy import stats

RATES = (0.5, 0.1, 0.01, 0.002, 0.001)


def make(scores: list[float], subjects: list[str] | None = None, **changes: Any) -> Calibration:
    subjects = subjects or [str(i) for i in range(len(scores))]
    number = len(set(subjects))
    pairs = sorted((s, len(scores) / (number * subjects.count(who))) for s, who in zip(scores, subjects, strict=True))
    fields: dict[str, Any] = {
        "scores": tuple(s for s, _ in pairs),
        "score_weights": tuple(w for _, w in pairs),
        "subjects": number,
        "voxels": 2000,
        "effective_voxels": 1500.0,
        "voxel_rates": RATES,
        "voxel_thresholds": (0.1, 0.2, 0.5, 0.75, 1.0),
        "data_sha256": "d" * 64,
        "weights_sha256": "e" * 64,
        "medad_version": "0.1.0",
    }
    return Calibration(**{**fields, **changes})


def test_p_value_by_hand() -> None:
    calibration = make([1.0, 2.0, 2.0, 3.0])
    values = [calibration.p_value(s) for s in (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, float("inf"))]
    assert values == [5 / 5, 5 / 5, 4 / 5, 4 / 5, 2 / 5, 2 / 5, 1 / 5, 1 / 5]
    with pytest.raises(ValueError, match="nan"):
        calibration.p_value(float("nan"))


def test_weighted_p_value_equals_the_formula() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=30).round(1).tolist()
    subjects = rng.choice(list("abcdefg"), 30).tolist()
    calibration = make(scores, subjects)
    assert calibration.approximate and sum(calibration.score_weights) == pytest.approx(30)
    number = len(set(subjects))
    for s in np.linspace(-3, 3, 61).round(1):
        weight = sum(30 / (number * subjects.count(w)) for v, w in zip(scores, subjects, strict=True) if v >= s)
        assert calibration.p_value(float(s)) == pytest.approx((1 + weight) / 31)


def test_a_subject_with_many_images_weighs_like_one_with_few() -> None:
    # ten high images of one subject, one low image of each of ten others
    calibration = make([5.0] * 10 + [1.0] * 10, ["a"] * 10 + [f"s{i}" for i in range(10)])
    assert calibration.p_value(3.0) == pytest.approx((1 + 20 / 11) / 21)
    assert make([5.0] * 10 + [1.0] * 10).p_value(3.0) == pytest.approx(11 / 21)
    assert not make([1.0, 2.0]).approximate


@pytest.mark.parametrize(("number", "alpha"), [(19, 0.05), (39, 0.05), (60, 0.1)])
@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "lognormal"])
def test_false_positive_rate_on_exchangeable_normals(number: int, alpha: float, draw: str) -> None:
    """The calibration images and the new one are exchangeable, so P(decision) = floor(alpha (n + 1)) / (n + 1)."""
    repetitions = 3000
    rng = np.random.default_rng(number)
    sample: Callable[..., Any] = getattr(rng, draw)
    called = sum(
        make(scores[1:].tolist()).decision(scores[0], alpha) for scores in sample(size=(repetitions, number + 1))
    )
    exact = np.floor(alpha * (number + 1) + 1e-9) / (number + 1)
    low, high = stats.binom.interval(0.99, repetitions, exact)
    assert low <= called <= high


def test_ties_make_it_conservative() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 3, size=(2000, 40)).astype(float)
    called = sum(make(scores[1:].tolist()).decision(scores[0], 0.05) for scores in drawn)
    assert called <= stats.binom.ppf(0.995, 2000, 0.05)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.1, 0.07, 1 / 3, 1 / 49])
def test_refuses_an_image_rate_without_enough_normals(alpha: float) -> None:
    needed = next(n for n in range(1, 1000) if 1 / (n + 1) <= alpha * (1 + 1e-12))
    assert make([0.0] * needed).decision(1.0, alpha) == 1
    if needed > 1:
        with pytest.raises(CalibrationError, match=rf"at least {needed} normal images.*calibrate\.json"):
            make([0.0] * (needed - 1)).decision(1.0, alpha)


@pytest.mark.parametrize(("images", "rate"), [(8, 0.112), (9, 0.1), (18, 0.0527)])
def test_the_remedy_in_the_refusal_works(images: int, rate: float) -> None:
    calibration = make([0.0] * images)
    with pytest.raises(CalibrationError, match=f"an image_false_positive_rate of at least {rate}"):
        calibration.decision(1.0, 0.05)
    assert calibration.decision(1.0, rate) == 1


def test_decision_at_exactly_the_rate() -> None:
    calibration = make([float(i) for i in range(99)])
    assert calibration.p_value(95.0) == 0.05 and calibration.decision(95.0, 0.05) == 1
    assert calibration.decision(94.0, 0.05) == 0
    for rate in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="rate"):
            calibration.decision(1.0, rate)


def test_voxel_threshold_is_exact_on_the_grid_and_conservative_between() -> None:
    calibration = make([1.0])
    assert [calibration.voxel_threshold(rate) for rate in RATES] == [0.1, 0.2, 0.5, 0.75, 1.0]
    assert calibration.voxel_threshold(0.0019999) == 1.0
    assert calibration.voxel_threshold(0.05) == 0.5


def test_voxel_rates_that_cannot_be_had() -> None:
    calibration = make([1.0])
    for rate in (0.6, 9e-6):
        with pytest.raises(CalibrationError, match=r"from 1e-05 to 0\.5.*--threshold"):
            calibration.voxel_threshold(rate)
    with pytest.raises(CalibrationError, match=r"1500 effective voxels.*at least 1999 normal ones"):
        calibration.voxel_threshold(0.0005)
    with pytest.raises(ValueError, match="rate"):
        calibration.voxel_threshold(0.0)
    with pytest.raises(CalibrationError, match="effective"):
        make([1.0], voxel_rates=(), voxel_thresholds=(), voxels=0, effective_voxels=0.0).voxel_threshold(0.1)


def test_grid_of_rates() -> None:
    grid = voxel_rate_grid()
    assert grid[0] == 0.5 and grid[-1] == 1e-5 and list(grid) == sorted(set(grid), reverse=True)
    assert {0.05, 0.02, 0.01, 0.002, 0.0005} <= set(grid)
    assert max(high / low for high, low in itertools.pairwise(grid)) < 1.05


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"scores": ()}, "scores"),
        ({"scores": (float("nan"), 2.0)}, "scores"),
        ({"score_weights": (1.0, 1.5)}, "score_weights"),
        ({"score_weights": (2.0, 0.0)}, "score_weights"),
        ({"subjects": 3}, "subjects"),
        ({"subjects": 0}, "subjects"),
        ({"voxel_rates": RATES[:2]}, "voxel_rates"),
        ({"voxel_rates": RATES[::-1]}, "voxel_rates"),
        ({"voxel_thresholds": (5.0, 4.0, 3.0, 2.0, 1.0)}, "voxel_thresholds"),
    ],
)
def test_entries_that_do_not_fit(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(make([1.0, 2.0]), **changes)


def test_score_threshold_divides_decisions() -> None:
    builder = CalibrationBuilder()
    for i in range(40):
        builder.update(float(i), torch.rand(1, 8, 8), None, f"s{i}")
    calibration = builder.build("0" * 64, "0" * 64)
    threshold = calibration.score_threshold(0.05)
    assert threshold is not None
    assert calibration.decision(threshold, 0.05) == 0
    assert calibration.decision(threshold + 1e-6, 0.05) == 1
    assert calibration.score_threshold(0.001) is None
