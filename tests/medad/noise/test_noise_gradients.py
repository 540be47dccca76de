# SPDX-License-Identifier: Apache-2.0
"""Gradients of the simplex noise: all that were published, equally often, each lattice point its own."""

from collections.abc import Sequence

import pytest
import torch
from medad.noise.gradients import HashedGradients
from medad.noise.lattice import LATTICES, SHORT
from scipy import stats
from torch import Tensor

EDGE = {2: 300, 3: 40, 4: 15}


def _components(dims: int, offset: Sequence[int]) -> Tensor:
    """Gradients of a block of lattice points of ten fields, ``(D, N)``: each is measured along every axis."""
    seeds = torch.arange(10, dtype=torch.int32) * 0x3C6EF372 + 17
    axes = torch.meshgrid(*[torch.arange(EDGE[dims], dtype=torch.int32)] * dims, seeds, indexing="ij")
    *cells, seeds = (axis.flatten() for axis in axes)
    order = [torch.full_like(cells[0], axis) for axis in range(dims)]
    gradients = HashedGradients(seeds, cells, order, LATTICES[dims])
    unit = torch.eye(dims)
    along = [[unit[axis, rank].expand(cells[0].shape) for rank in range(dims)] for axis in range(dims)]
    return torch.stack([gradients.product(tuple(offset), distances).clone() for distances in along])


def _numbers(components: Tensor) -> Tensor:
    """Number the gradients: axis of the long component, then the signs."""
    places = torch.arange(len(components))[:, None]
    return components.abs().argmax(0) + len(components) * ((components < 0) << places).sum(0)


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_one_component_is_long(dims: int) -> None:
    lengths = _components(dims, (0,) * dims).abs().sort(dim=0).values
    assert (lengths[:-1] == SHORT).all()
    assert (lengths[-1] == LATTICES[dims].long).all()


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_all_gradients_are_equally_frequent(dims: int) -> None:
    counts = _numbers(_components(dims, (0,) * dims)).bincount(minlength=dims * 2**dims)
    assert len(counts) == dims * 2**dims
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("dims", [2, 3, 4])
@pytest.mark.parametrize("step", [1, -1, 2])
def test_neighbors_are_independent(dims: int, step: int) -> None:
    kinds = dims * 2**dims
    here = _numbers(_components(dims, (0,) * dims))
    for axis in range(dims):
        there = _numbers(_components(dims, [step if rank == axis else 0 for rank in range(dims)]))
        pairs = (here * kinds + there).bincount(minlength=kinds * kinds).reshape(kinds, kinds)
        assert stats.chi2_contingency(pairs.numpy()).pvalue > 1e-5


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_gradients_are_the_published_ones_times_a_constant(dims: int) -> None:
    published = {2: (2, 5), 3: (4, 11), 4: (1, 3)}[dims]
    norm = {2: 47.0, 3: 103.0, 4: 30.0}[dims]
    lattice = LATTICES[dims]
    assert lattice.long / SHORT == pytest.approx(published[1] / published[0])
    assert lattice.norm / norm == pytest.approx(SHORT / published[0])
