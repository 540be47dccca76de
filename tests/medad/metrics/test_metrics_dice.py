# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.metrics import (
    oracle_dice,
    pooled_dice,
    score_levels,
)
from sklearn.metrics import f1_score


def draw(levels: int | None, n: int = 200, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (n,), generator=generator)
    scores = torch.randn(n, generator=generator, dtype=torch.float64) + labels
    return (scores if levels is None else scores.clamp(0, 1).mul(levels - 1).round()), labels


@pytest.mark.parametrize("levels", [2, 9, None])
def test_oracle_dice_is_the_best_f1(levels: int | None) -> None:
    scores, labels = draw(levels)
    values, negatives, positives = score_levels(scores, labels)
    expected = [f1_score(labels, scores >= t) for t in values]
    best, level = oracle_dice(negatives, positives)
    assert best.item() == pytest.approx(max(expected), abs=1e-12)
    assert expected[level] == pytest.approx(max(expected), abs=1e-12)


def test_pooled_dice() -> None:
    decided, truth = torch.randint(0, 2, (2, 50), generator=torch.Generator().manual_seed(0))
    counts = ((decided * truth).sum(), (decided * (1 - truth)).sum(), ((1 - decided) * truth).sum())
    assert pooled_dice(*counts).item() == pytest.approx(f1_score(truth, decided), abs=1e-12)
    zero = torch.tensor(0)
    assert pooled_dice(zero, torch.tensor(5), zero).isnan()
    assert pooled_dice(zero, zero, torch.tensor(5)) == 0
    assert oracle_dice(torch.ones(2), torch.zeros(2))[0].isnan()
    assert oracle_dice(torch.ones(3, 0), torch.zeros(3, 0))[0].isnan().all()
