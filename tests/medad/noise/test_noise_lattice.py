# SPDX-License-Identifier: Apache-2.0
"""Constants of the noise: candidates, skews, exchanges, and how far away the hash repeats."""

import itertools

import pytest
import torch
from medad.noise.lattice import EXCHANGES, HASH_FIRST, HASH_NEXT, LATTICES
from torch import Tensor


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_candidates_are_complete(dims: int) -> None:
    # every lattice point within reach of a random position is a candidate (in 3D and 4D: of the complete set)
    lattice = LATTICES[dims]
    inside = torch.rand(20_000, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inside = inside.sort(descending=True).values
    position = inside + lattice.squish * inside.sum(1, keepdim=True)
    candidates = set(lattice.points + lattice.rare_points)
    for point in torch.cartesian_prod(*[torch.arange(-2, 4)] * dims).tolist():
        corner = torch.tensor(point, dtype=torch.float64) + lattice.squish * sum(point)
        if ((position - corner).square().sum(1) < 2.0).any():
            assert tuple(point) in candidates


@pytest.mark.parametrize("period", [(-12010, 21478), (-344, 307, 207), (-75, -14, 111, -82)])
def test_gradients_repeat_far_away_only(period: tuple[int, ...]) -> None:
    # the stated vectors are periods, and a cube of 60 cells to all sides holds none but 0
    factors = torch.tensor([(HASH_FIRST ^ axis * HASH_NEXT) % 2**32 for axis in range(len(period))])
    assert int((torch.tensor(period) * factors).sum()) % 2**32 == 0
    steps = torch.arange(-60, 61)

    def sums(factors: Tensor) -> Tensor:
        total = torch.zeros(1, dtype=torch.int64)
        for factor in factors:
            total = (total[:, None] + steps * factor).flatten()
        return total

    one, other = sums(factors[:2]) % 2**32, -sums(factors[2:]) % 2**32
    assert int(torch.isin(one, other).sum()) == 1


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_both_skews_undo_each_other(dims: int) -> None:
    lattice, point = LATTICES[dims], torch.rand(5, dims, dtype=torch.float64)
    skewed = point + lattice.stretch * point.sum(1, keepdim=True)
    torch.testing.assert_close(skewed + lattice.squish * skewed.sum(1, keepdim=True), point)


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_a_walk_over_the_candidates_takes_short_steps(dims: int) -> None:
    """The hash of a lattice point is made from that of the one before."""
    points = LATTICES[dims].points
    assert points[0] == (0,) * dims and len(set(points)) == len(points)
    steps = [sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(points)]
    assert set(steps) == {1, 2}


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_exchanges_sort_every_order(dims: int) -> None:
    for order in itertools.permutations(range(dims)):
        numbers = list(order)
        for first, second in EXCHANGES[dims]:
            if numbers[first] < numbers[second]:
                numbers[first], numbers[second] = numbers[second], numbers[first]
        assert numbers == sorted(order, reverse=True)
