# SPDX-License-Identifier: Apache-2.0
import math
import pickle

import numpy as np
import numpy.typing as npt
import pytest
import torch
from medad.anomaly_map import AnomalyScored, anomaly_score
from medad.errors import InputError
from monai.data import MetaTensor


def brute_force(values: npt.NDArray[np.float32], reduction: str, fraction: float) -> float:
    ordered = np.sort(values.astype(np.float64))[::-1]
    if reduction == "max":
        return float(ordered[0])
    if reduction == "std":
        return float(np.sqrt((ordered**2).mean() - ordered.mean() ** 2))
    if reduction == "top_fraction":
        ordered = ordered[: math.ceil(round(fraction * ordered.size, 9))]
    return float(ordered.mean())


@pytest.mark.parametrize("shape", [(20, 35), (8, 9, 10)])
@pytest.mark.parametrize(
    ("reduction", "fraction"),
    [("mean", 0.01), ("max", 0.01), ("std", 0.01), ("top_fraction", 0.01), ("top_fraction", 1.0)],
)
def test_equals_sorting(shape: tuple[int, ...], reduction: str, fraction: float) -> None:
    x, mask = torch.rand(1, *shape), torch.rand(1, *shape) > 0.5
    for foreground, values in ((None, x), (mask, x[mask]), (mask.to(torch.uint8), x[mask])):
        score = anomaly_score(x, foreground, reduction, fraction)
        assert score.shape == () and score.dtype == torch.float32
        assert score.item() == pytest.approx(brute_force(values.numpy().ravel(), reduction, fraction), rel=1e-6)


def largest_window_mean(values: npt.NDArray[np.float32], window: tuple[int, ...]) -> float:
    views = np.lib.stride_tricks.sliding_window_view(values.astype(np.float64), window)
    return float(views.mean(axis=tuple(range(values.ndim, 2 * values.ndim))).max())


@pytest.mark.parametrize(
    ("shape", "window_size", "window"),
    [
        ((20, 35), (5, 3), (5, 3)),
        ((8, 9, 10), (3, 2, 4), (3, 2, 4)),
        ((8, 9, 10), (3, 2), (3, 2, 1)),  # slice by slice
        ((6, 20), (16, 16), (6, 16)),  # larger than the image
    ],
)
def test_window_max_equals_every_window(
    shape: tuple[int, ...], window_size: tuple[int, ...], window: tuple[int, ...]
) -> None:
    x, mask = torch.rand(1, *shape), torch.rand(1, *shape) > 0.5
    for foreground, values in ((None, x), (mask, x * mask)):
        score = anomaly_score(x, foreground, "window_max", window_size=window_size)
        assert score.item() == pytest.approx(largest_window_mean(values[0].numpy(), window), rel=1e-5)
        assert AnomalyScored("window_max", window_size=window_size)({"anomaly_map": values})["anomaly_score"] == score


def test_top_fraction_counts() -> None:
    x = torch.arange(700.0).reshape(1, 20, 35)
    # 0.01 * 700 is 7.000000000000001 in floating point
    assert anomaly_score(x, None, "top_fraction", 0.01).item() == np.arange(693, 700).mean()
    assert anomaly_score(x, None, "top_fraction", 1e-9).item() == 699.0


def test_outside_does_not_count() -> None:
    x, mask = torch.rand(1, 6, 6), torch.zeros(1, 6, 6)
    mask[0, :3] = 1
    changed = x.clone()
    changed[0, 3:] = 1e6
    for reduction in ("mean", "max", "top_fraction"):
        assert anomaly_score(x, mask, reduction) == anomaly_score(changed, mask, reduction)


@pytest.mark.parametrize("reduction", ["mean", "max", "top_fraction"])
def test_empty_foreground_scores_zero(reduction: str) -> None:
    assert anomaly_score(torch.ones(1, 4, 4), torch.zeros(1, 4, 4), reduction).item() == 0.0


def test_a_large_volume_keeps_its_digits() -> None:
    x = torch.full((1, 200, 200, 100), 0.1)
    assert anomaly_score(x).item() == pytest.approx(float(np.float32(0.1)), rel=1e-7)


def test_transform() -> None:
    x, mask = MetaTensor(torch.rand(1, 5, 5, 5)), torch.rand(1, 5, 5, 5) > 0.5
    scored = pickle.loads(pickle.dumps(AnomalyScored("top_fraction", 0.1, foreground_key="foreground")))
    result = scored({"anomaly_map": x, "foreground": mask, "case": "a"})
    assert type(result["anomaly_score"]) is torch.Tensor
    assert result["anomaly_score"] == anomaly_score(x, mask, "top_fraction", 0.1)
    assert result["case"] == "a"
    assert AnomalyScored()({"anomaly_map": x})["anomaly_score"] == anomaly_score(x)


def test_errors() -> None:
    with pytest.raises(ValueError, match="reduction"):
        AnomalyScored("median")
    for fraction in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="fraction"):
            AnomalyScored("top_fraction", fraction)
    for window_size in ((4,), (0, 4), (4, 4, 4, 4)):
        with pytest.raises(ValueError, match="window_size"):
            AnomalyScored("window_max", window_size=window_size)
    with pytest.raises(ValueError, match="the map has 2 axes"):
        anomaly_score(torch.ones(1, 4, 4), None, "window_max", window_size=(2, 2, 2))
    with pytest.raises(KeyError, match="no entry 'foreground'"):
        AnomalyScored(foreground_key="foreground")({"anomaly_map": torch.ones(1, 4, 4)})
    with pytest.raises(ValueError, match="use one grid"):
        anomaly_score(torch.ones(1, 4, 4), torch.ones(1, 4, 5))


def test_an_unknown_case_is_no_normal_case() -> None:
    case = {"case": "c", "anomaly_map": torch.rand(1, 4, 4), "foreground": torch.zeros(1, 4, 4)}
    scored = AnomalyScored("max", foreground_key="foreground")
    with pytest.raises(InputError, match="no foreground"):
        scored(case)
    with pytest.raises(InputError, match="not finite"):
        scored({**case, "anomaly_map": torch.full((1, 4, 4), torch.nan), "foreground": torch.ones(1, 4, 4)})
