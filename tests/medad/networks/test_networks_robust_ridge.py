# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.networks.atlas.robust_ridge import robust_ridge
from torch import Tensor


def _explained(bases: Tensor, target: Tensor, inside: Tensor, penalty: float, rounds: int) -> Tensor:
    return torch.einsum("bk,bkp->bp", robust_ridge(bases, target, inside, penalty, rounds), bases)


def _problem(outliers: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    bases = torch.randn(2, 5, 400, generator=generator, dtype=torch.float64)
    coefficients = torch.tensor([[1.0, -2.0, 0.5, 0.0, 1.5], [0.0, 1.0, 1.0, -1.0, 0.0]], dtype=torch.float64)
    clean = torch.einsum("bk,bkp->bp", coefficients, bases)
    target = clean + 0.1 * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    target[:, :outliers] += 50.0
    return bases, target, clean


def test_one_round_is_ridge_regression_in_closed_form() -> None:
    bases, target, _ = _problem()
    inside = torch.ones_like(target, dtype=torch.bool)
    inside[:, 300:] = False
    found = _explained(bases, target, inside, penalty=0.5, rounds=1).numpy()
    for number in range(2):
        a, y = bases[number].numpy().T, target[number].numpy()
        # ridge regression is least squares with sqrt(lambda) I below the equations
        rows = np.vstack([a[:300], np.sqrt(0.5 * 300) * np.eye(5)])
        solution = np.linalg.lstsq(rows, np.concatenate([y[:300], np.zeros(5)]), rcond=None)[0]
        np.testing.assert_allclose(found[number], a @ solution, atol=1e-10)


def test_outliers_lose_their_weight_in_further_rounds() -> None:
    bases, target, clean = _problem(outliers=60)
    inside = torch.ones_like(target, dtype=torch.bool)
    errors = [float((_explained(bases, target, inside, 1e-6, rounds) - clean).abs().mean()) for rounds in (1, 4, 30)]
    assert errors[1] < 0.5 * errors[0] and errors[2] < 0.1 * errors[0]


def test_many_rounds_solve_hubers_problem() -> None:
    """At its solution the clipped residuals are orthogonal to the bases."""
    bases, target, _ = _problem(outliers=60)
    inside = torch.ones_like(target, dtype=torch.bool)
    residual = target - _explained(bases, target, inside, 1e-12, 200)
    limit = 1.5 * residual.abs().median(dim=1, keepdim=True).values.clamp(min=0.1)
    gradient = torch.einsum("bkp,bp->bk", bases, residual.clamp(-limit, limit))
    assert float(gradient.abs().max()) < 1e-3 * 400


def test_a_penalty_shrinks_and_nothing_inside_explains_nothing() -> None:
    bases, target, _ = _problem()
    inside = torch.ones_like(target, dtype=torch.bool)
    sizes = [float(_explained(bases, target, inside, penalty, 4).abs().mean()) for penalty in (0.01, 1.0, 1e9)]
    assert sizes[0] > sizes[1] > 1e3 * sizes[2]
    assert not bool(_explained(bases, target, ~inside, 1.0, 4).any())


@pytest.mark.parametrize("number", [0, 1])
def test_an_image_alone_and_in_a_batch(number: int) -> None:
    bases, target, _ = _problem(outliers=10)
    inside = torch.ones_like(target, dtype=torch.bool)
    both = _explained(bases, target, inside, 1.0, 4)
    part = slice(number, number + 1)
    torch.testing.assert_close(_explained(bases[part], target[part], inside[part], 1.0, 4), both[part])
