# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.anomaly_map import OtsuThresholdd
from monai.data import MetaTensor

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
    array, above = values.numpy(), pred.bool().numpy()
    best = max(_between(array, array > candidate) for candidate in np.sort(array.ravel())[:-1])
    assert _between(array, above) == pytest.approx(best, rel=1e-3)  # the histogram has 256 bins
    assert array[above].min() > array[~above].max()


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
    assert torch.equal(*preds) and not (preds[0] * (1 - foreground)).any()
    lesion = (values > 0.35) & (foreground > 0)
    highest = float(values[(values < 0.35) & (foreground > 0)].max())
    assert preds[0][lesion].all()
    assert float(values[preds[0].bool()].min()) > highest - 0.7 / 256  # all but the last bin of the histogram is below


def test_monotone_scale_and_metadata() -> None:
    values = MetaTensor(_bimodal(SHAPES[0]), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])))
    pred = OtsuThresholdd()({"anomaly_map": values})["pred"]
    assert isinstance(pred, MetaTensor) and torch.equal(pred.affine, values.affine)
    assert torch.equal(OtsuThresholdd()({"anomaly_map": 7 * values})["pred"], pred)


def test_nothing_to_split_gives_an_empty_mask() -> None:
    flat = torch.full((1, 4, 4), 0.3)
    assert not OtsuThresholdd()({"anomaly_map": flat})["pred"].any()
    nowhere = {"anomaly_map": _bimodal((1, 8, 8)), "foreground": torch.zeros(1, 8, 8, dtype=torch.uint8)}
    assert not OtsuThresholdd(foreground_key="foreground")(nowhere)["pred"].any()


def test_a_missing_map_is_named() -> None:
    with pytest.raises(KeyError, match="anomaly_map"):
        OtsuThresholdd()({"image": torch.zeros(1, 4, 4)})
