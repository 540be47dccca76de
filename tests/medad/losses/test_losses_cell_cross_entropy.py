# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch
from medad.losses import CellCrossEntropy


def _shares(mask: np.ndarray, factor: int) -> np.ndarray:
    """Mean over blocks of ``factor`` voxels along each spatial axis."""
    for axis in range(2, mask.ndim):
        shape = (*mask.shape[:axis], mask.shape[axis] // factor, factor, *mask.shape[axis + 1 :])
        mask = mask.reshape(shape).mean(axis + 1)
    return mask


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("grid", [(4, 6), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_equals_the_closed_form(balanced: bool, grid: tuple[int, ...], dtype: torch.dtype) -> None:
    logits = 3 * torch.randn(2, 1, *grid)
    mask = (torch.rand(2, 1, *(4 * n for n in grid)) > 0.8).to(dtype)
    share = _shares(mask.double().numpy(), 4)
    probability = 1 / (1 + np.exp(-logits.double().numpy()))
    anomalous, normal = -share * np.log(probability), -(1 - share) * np.log(1 - probability)
    expected = (anomalous + normal).mean()
    if balanced:
        expected = (anomalous.sum() / share.sum() + normal.sum() / (1 - share).sum()) / 2
    assert float(CellCrossEntropy(balanced)(logits, mask)) == pytest.approx(expected, rel=1e-5)


def test_without_balance_it_is_that_of_torch() -> None:
    logits, mask = torch.randn(3, 1, 5, 5), (torch.rand(3, 1, 5, 5) > 0.5).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, mask)
    torch.testing.assert_close(CellCrossEntropy(balanced=False)(logits, mask), expected)


@pytest.mark.parametrize("anomalous", [1, 3, 40])
def test_rare_cells_count_as_much_as_the_others(anomalous: int) -> None:
    """At logits of zero the gradients of both sides are the same, whatever their numbers."""
    logits, mask = torch.zeros(1, 1, 8, 8, requires_grad=True), torch.zeros(1, 1, 8, 8)
    mask.flatten()[:anomalous] = 1
    CellCrossEntropy()(logits, mask).backward()
    assert logits.grad is not None
    gradient = logits.grad.flatten()
    assert float(gradient[:anomalous].sum()) == pytest.approx(-0.25)
    assert float(gradient[anomalous:].sum()) == pytest.approx(0.25)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_alone_and_huge_logits_are_finite(value: int) -> None:
    mask = torch.full((2, 1, 8, 8), value)
    assert float(CellCrossEntropy()(torch.zeros(2, 1, 4, 4), mask)) == pytest.approx(math.log(2) / 2)
    right, wrong = (CellCrossEntropy()(torch.full((2, 1, 4, 4), z * (2 * value - 1)), mask) for z in (1e4, -1e4))
    assert float(right) == 0.0
    assert float(wrong) == pytest.approx(5e3)


def test_a_few_voxels_count_less_than_a_cell() -> None:
    """One changed voxel of sixteen: its term is 1/16 of that of a whole cell, not raised to the same."""
    mask = torch.zeros(1, 1, 16, 16)
    mask[0, 0, 0, 0] = 1
    logits = torch.zeros(1, 1, 4, 4)
    expected = (math.log(2) / 16 + math.log(2)) / 2
    assert float(CellCrossEntropy()(logits, mask)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "mask"), [((2, 1, 4, 4), (2, 1, 8, 8, 8)), ((2, 1, 4, 4), (1, 1, 8, 8)), ((2, 2, 4, 4), (2, 1, 8, 8)),
                         ((2, 1, 4), (2, 1, 8))],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_named(logits: tuple[int, ...], mask: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="logits of shape"):
        CellCrossEntropy()(torch.zeros(logits), torch.zeros(mask))
