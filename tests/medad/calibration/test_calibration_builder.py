# SPDX-License-Identifier: Apache-2.0
import math
import pickle

import numpy as np
import numpy.typing as npt
import pytest
import torch
from medad.calibration import CalibrationBuilder, images_per_subject, voxel_rate_grid
from medad.errors import CalibrationError

DATA, WEIGHTS = "a" * 64, "b" * 64


def exact_threshold(values: npt.NDArray[np.float32], weights: npt.NDArray[np.float64], rate: float) -> float:
    """Smallest value (or 0) above which at most a share ``rate`` of the weight lies, by sorting."""
    order = np.argsort(values)
    values, weights = values[order], weights[order] / weights.sum()
    for value in [0.0, *values]:
        if weights[values > value].sum() <= rate * (1 + 1e-9):
            return float(value)
    raise AssertionError


@pytest.mark.parametrize("shape", [(40, 40), (12, 12, 12)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_quantiles_equal_sorting(shape: tuple[int, ...], scale: float) -> None:
    subjects = ["a", "a", "a", "b", "c"]
    builder = CalibrationBuilder({"a": 3, "b": 1, "c": 1})
    values, weights = [], []
    for number, subject in enumerate(subjects):
        x = torch.rand(1, *shape) ** (number + 1) * scale
        mask = torch.rand(1, *shape) > 0.3 * number / 4
        builder.update(float(number), x, mask, subject)
        values.append(x[mask].numpy())
        weights.append(np.full(values[-1].size, 1 / (subjects.count(subject) * values[-1].size)))
    calibration = builder.build(DATA, WEIGHTS)
    pooled, weight = np.concatenate(values), np.concatenate(weights)
    assert calibration.voxels == pooled.size
    assert calibration.effective_voxels == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    for rate in (0.5, 0.2, 0.1, 0.05, 0.01, 0.005):
        threshold = calibration.voxel_threshold(rate)
        exact = exact_threshold(pooled, weight, rate)
        assert exact <= threshold <= exact * (1 + 2**-14)
        assert weight[pooled > np.float32(threshold)].sum() / weight.sum() <= rate * (1 + 1e-9)


def test_only_supported_rates_are_tabulated() -> None:
    builder = CalibrationBuilder()
    builder.update(1.0, torch.rand(1, 10, 10), None, "a")
    calibration = builder.build(DATA, WEIGHTS)
    assert calibration.effective_voxels == 100.0
    assert calibration.voxel_rates == (*(rate for rate in voxel_rate_grid() if rate > 1 / 101), 1 / 101)
    calibration.voxel_threshold(1 / 101)
    with pytest.raises(CalibrationError, match="100 effective voxels"):
        calibration.voxel_threshold(0.009)


def test_a_map_of_zeros_has_the_threshold_zero() -> None:
    builder = CalibrationBuilder()
    x = torch.zeros(1, 50, 50)
    x[0, 0, :5] = torch.tensor([-0.0, 1.0, 2.0, 3.0, 4.0])
    builder.update(0.0, x, None, "a")
    calibration = builder.build(DATA, WEIGHTS)
    assert calibration.voxel_threshold(0.01) == 0.0
    assert 4.0 <= calibration.voxel_threshold(0.0004) <= 4.0 * (1 + 2**-14)
    assert 3.0 <= calibration.voxel_threshold(0.0005) <= 3.0 * (1 + 2**-14)


def test_scores_and_subject_weights() -> None:
    builder = CalibrationBuilder({"a": 2, "b": 1})
    for score, subject in ((3.0, "a"), (torch.tensor(1.0), "b"), (2.0, "a")):
        builder.update(score, torch.rand(1, 8, 8), None, subject)
    calibration = builder.build(DATA, WEIGHTS)
    assert calibration.scores == (1.0, 2.0, 3.0) and calibration.score_weights == (1.5, 0.75, 0.75)
    assert calibration.images == 3 and calibration.subjects == 2 and calibration.approximate
    assert (calibration.data_sha256, calibration.weights_sha256) == (DATA, WEIGHTS)


def test_merging_equals_one_builder_whatever_the_order() -> None:
    subjects = ["a", "b", "a", "c", "c", "d", "a"]
    counts = images_per_subject([{"subject_id": s} for s in subjects])
    assert counts == {"a": 3, "b": 1, "c": 2, "d": 1}
    images = [(float(i), torch.rand(1, 30, 30), torch.rand(1, 30, 30) > 0.2, s) for i, s in enumerate(subjects)]
    whole, first, second = (CalibrationBuilder(counts) for _ in range(3))
    for image in images:
        whole.update(*image)
    for image in images[::2]:
        second.update(*image)
    for image in images[1::2]:
        first.update(*image)
    first.merge(pickle.loads(pickle.dumps(second)))
    assert first.build(DATA, WEIGHTS) == whole.build(DATA, WEIGHTS)


def test_travels_light() -> None:
    builder = CalibrationBuilder()
    builder.update(1.0, torch.rand(1, 20, 20), None, "a")
    assert len(pickle.dumps(builder)) < 20_000


def test_large_and_small_maps_are_counted_alike() -> None:
    x = torch.rand(1, 300, 300)
    large, small = CalibrationBuilder(), CalibrationBuilder({"a": 6})
    large.update(1.0, x, None, "a")
    for part in x.split(50, dim=1):
        small.update(1.0, part, None, "a")
    assert large.build(DATA, WEIGHTS).voxel_thresholds == small.build(DATA, WEIGHTS).voxel_thresholds


def test_empty_foreground_adds_the_score_only() -> None:
    builder = CalibrationBuilder()
    builder.update(0.0, torch.rand(1, 8, 8), torch.zeros(1, 8, 8), "a")
    calibration = builder.build(DATA, WEIGHTS)
    assert calibration.images == 1 and calibration.voxels == 0 and calibration.voxel_rates == ()


def test_refuses_more_images_than_announced() -> None:
    x = torch.rand(1, 4, 4)
    builder = CalibrationBuilder()
    builder.update(1.0, x, None, "a")
    with pytest.raises(ValueError, match=r"images_per_subject.*'a'"):
        builder.update(1.0, x, None, "a")
    with pytest.raises(ValueError, match="'b', but 0 expected"):
        CalibrationBuilder({"a": 1}).update(1.0, x, None, "b")
    with pytest.raises(ValueError, match="came twice"):
        builder.merge(pickle.loads(pickle.dumps(builder)))
    with pytest.raises(ValueError, match="differ"):
        builder.merge(CalibrationBuilder({"a": 1}))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_refuses_values_that_are_no_anomaly(bad: float) -> None:
    x = torch.rand(1, 4, 4)
    x[0, 1, 1] = bad
    builder = CalibrationBuilder()
    with pytest.raises(CalibrationError, match="finite"):
        builder.update(1.0, x, None, "a")
    mask = torch.ones(1, 4, 4)
    mask[0, 1, 1] = 0
    builder.update(1.0, x, mask, "a")
    if not math.isfinite(bad):
        with pytest.raises(CalibrationError, match="finite"):
            CalibrationBuilder().update(bad, torch.rand(1, 4, 4), None, "a")


def test_errors() -> None:
    with pytest.raises(CalibrationError, match="no normal image"):
        CalibrationBuilder().build(DATA, WEIGHTS)
    with pytest.raises(ValueError, match="use one grid"):
        CalibrationBuilder().update(1.0, torch.rand(1, 4, 4), torch.ones(1, 4, 5), "a")


def test_voxel_rate_holds_on_fresh_normal_images() -> None:
    """Calibrate on 20 subjects, look at 50 others: the share of voxels in the mask is near the rate."""
    builder = CalibrationBuilder()
    for i in range(20):
        builder.update(0.0, torch.randn(1, 64, 64).abs(), None, str(i))
    threshold = builder.build(DATA, WEIGHTS).voxel_threshold(0.01)
    share = (torch.randn(50, 1, 64, 64).abs() > threshold).double().mean().item()
    # standard error of calibration and test shares together: 4.1e-4
    assert abs(share - 0.01) < 3 * math.hypot(math.sqrt(0.01 / (20 * 4096)), math.sqrt(0.01 / (50 * 4096)))
