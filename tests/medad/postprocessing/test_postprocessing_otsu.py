# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from medad.postprocessing import OtsuThresholdd, otsu_threshold
from monai.data import MetaTensor
from skimage.filters import threshold_otsu

SHAPES = [(1, 24, 20), (1, 12, 10, 8)]


def _bimodal(shape: tuple[int, ...]) -> torch.Tensor:
    values = 0.1 * torch.rand(shape, generator=torch.Generator().manual_seed(0))
    values[(0, *(slice(2, 6),) * (len(shape) - 1))] += 0.6
    return values


def _between(values: np.ndarray, above: np.ndarray) -> float:
    """Variance between two sides."""
    low, high = values[~above].astype(np.float64), values[above].astype(np.float64)
    return float(len(low) * len(high) * (low.mean() - high.mean()) ** 2 / values.size**2)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_split_with_the_largest_variance_between_its_sides(shape: tuple[int, ...]) -> None:
    values = _bimodal(shape)
    values = values + torch.linspace(0, 0.4, values.numel()).reshape(shape)  # no gap to fall into
    pred = OtsuThresholdd()({"anomaly_map": values})["pred"]
    assert pred.dtype == torch.uint8 and pred.shape == values.shape
    array = values.numpy()
    best = max(np.sort(array.ravel())[:-1], key=lambda candidate: _between(array, array > candidate))
    assert torch.equal(pred.bool(), values > float(best))
    bin_width = float(values.max() - values.min()) / 256
    assert otsu_threshold(values) == pytest.approx(threshold_otsu(array), abs=bin_width)


@pytest.mark.parametrize("shape", SHAPES)
def test_only_the_foreground_counts(shape: tuple[int, ...]) -> None:
    values, foreground = _bimodal(shape), torch.zeros(shape, dtype=torch.uint8)
    foreground[:, 4:] = 1
    cut = values * foreground
    other = torch.where(foreground > 0, values, 50.0)
    preds = [
        OtsuThresholdd(foreground_key="foreground")({"anomaly_map": each, "foreground": foreground})["pred"]
        for each in (cut, other)
    ]
    assert torch.equal(*preds)
    assert torch.equal(preds[0].bool(), (values > 0.35) & (foreground > 0))


def test_monotone_scale_and_metadata() -> None:
    values = MetaTensor(_bimodal(SHAPES[0]), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])))
    pred = OtsuThresholdd()({"anomaly_map": values})["pred"]
    assert isinstance(pred, MetaTensor) and torch.equal(pred.affine, values.affine)
    assert torch.equal(OtsuThresholdd()({"anomaly_map": 7 * values})["pred"], pred)


def test_nothing_to_split_gives_an_empty_mask() -> None:
    assert otsu_threshold(torch.tensor([0.5])) == 0.5
    assert otsu_threshold(torch.tensor([2.0, 1.0, 1.0, 2.0, 1.0])) == 1.0
    flat = torch.full((1, 4, 4), 0.3)
    assert not OtsuThresholdd()({"anomaly_map": flat})["pred"].any()
    nowhere = {"anomaly_map": _bimodal((1, 8, 8)), "foreground": torch.zeros(1, 8, 8, dtype=torch.uint8)}
    assert not OtsuThresholdd(foreground_key="foreground")(nowhere)["pred"].any()


def test_a_missing_map_is_named() -> None:
    with pytest.raises(KeyError, match="anomaly_map"):
        OtsuThresholdd()({"image": torch.zeros(1, 4, 4)})
