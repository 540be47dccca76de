# SPDX-License-Identifier: Apache-2.0
"""The sum over lattice points against published fields, with the gradients of their permutation tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from medad.noise.coordinates import AxisTable, axis_table, octave_wavelengths, voxel_axis_table
from medad.noise.lattice import LATTICES, SHORT, Lattice, Offset
from medad.noise.simplex_torch import locate, rank, simplex_fields, sum_points
from torch import Tensor

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "simplex_anoddpm.npz")


class TabulatedGradients:
    """Gradients of a published 3D field, by its permutation table, in the order of OpenSimplex."""

    def __init__(self, permutation: Tensor, cells: Sequence[Tensor], order: Sequence[Tensor], lattice: Lattice) -> None:
        self.permutation, self.cells, self.order = permutation, cells, torch.stack(tuple(order))
        triples = ("-++", "+++", "--+", "+-+", "-+-", "++-", "---", "+--")
        self.gradients = torch.tensor(
            [
                [int(f"{sign}1") * (lattice.long if axis == long else SHORT) for axis, sign in enumerate(triple)]
                for triple in triples
                for long in range(3)
            ]
        )

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        # rank of each axis: the inverse of the order
        ranks = self.order.argsort(dim=0)
        steps, entry = torch.tensor(offset)[ranks], torch.zeros((), dtype=torch.int64)
        for cell, step in zip(self.cells, steps, strict=True):
            entry = self.permutation[(entry + cell + step) & 255]
        gradients = self.gradients.to(distances[0].dtype)[entry % 24]
        return (gradients.movedim(-1, 0) * torch.stack(tuple(distances)).gather(0, ranks)).sum(0)


def _split(values: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return values.floor().to(torch.int32), (values - values.floor()).to(dtype)


def _published(axes: list[Tensor], permutation: np.ndarray, octaves: int, persistence: float, dtype: torch.dtype):
    """Sum octaves by the table of a published field; double precision takes all lattice points."""
    lattice = LATTICES[3]
    points = lattice.points + lattice.rare_points if dtype == torch.float64 else lattice.points
    table = torch.from_numpy(permutation.astype(np.int64))
    total = torch.zeros((), dtype=dtype)
    for octave in range(octaves):
        coordinates = [axis * 2.0**octave for axis in axes]
        tables = [AxisTable(*_split(x, dtype), *_split(lattice.stretch * x, dtype)) for x in coordinates]
        cells, inside = locate(tables)
        ranked, order = rank(inside)
        value = sum_points(ranked, TabulatedGradients(table, cells, order, lattice), points, lattice.squish)
        total = total + persistence**octave / lattice.norm * value
    return total


@pytest.mark.parametrize(("dtype", "rms", "largest"), [(torch.float64, 2e-5, 2e-4), (torch.float32, 1e-3, 2e-2)])
@pytest.mark.parametrize("number", range(4))
def test_published_slices(number: int, dtype: torch.dtype, rms: float, largest: float) -> None:
    _, time, octaves, persistence, wavelength = GOLDEN[f"spec_{number}"]
    field = torch.from_numpy(GOLDEN[f"field_{number}"])  # rows y, columns x, coordinates in the order x, y, t
    y, x = (torch.arange(size, dtype=torch.float64) / wavelength for size in field.shape)
    axes = [x[None, :], y[:, None], torch.full((1, 1), time / wavelength, dtype=torch.float64)]
    difference = _published(axes, GOLDEN[f"perm_{number}"], int(octaves), persistence, dtype) - field
    assert difference.square().mean().sqrt() <= rms
    assert difference.abs().max() <= largest


@pytest.mark.parametrize(("dtype", "rms", "largest"), [(torch.float64, 2e-5, 2e-4), (torch.float32, 1e-3, 2e-2)])
def test_published_volume(dtype: torch.dtype, rms: float, largest: float) -> None:
    _, octaves, persistence, wavelength = GOLDEN["volume_spec"]
    field = torch.from_numpy(GOLDEN["volume_field"])
    z, y, x = (torch.arange(size, dtype=torch.float64) / wavelength for size in field.shape)
    axes = [x[None, None, :], y[None, :, None], z[:, None, None]]
    difference = _published(axes, GOLDEN["volume_perm"], int(octaves), persistence, dtype) - field
    assert difference.square().mean().sqrt() <= rms
    assert difference.abs().max() <= largest


@pytest.mark.parametrize("dims", [2, 3, 4])
def test_ranks_sort_the_coordinates_and_name_their_axes(dims: int) -> None:
    inside = [torch.rand(50, generator=torch.Generator().manual_seed(axis)) for axis in range(dims)]
    positions, order = (torch.stack(part) for part in rank(inside))
    expected = torch.stack(inside).sort(dim=0, descending=True)
    assert torch.equal(positions, expected.values) and torch.equal(order.long(), expected.indices)


def test_pieces_of_a_long_axis_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields are worked on in pieces of bounded size: of fields, rows and octaves."""
    lattice, seeds = LATTICES[3], torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.int32)
    table = voxel_axis_table(0, 9, 1.0, 8.0, 3, lattice.stretch, torch.device("cpu"))
    times = axis_table(torch.tensor([0.0, 5.0]), octave_wavelengths(8.0, 3, torch.device("cpu")), lattice.stretch)
    whole = simplex_fields(seeds, [table, table], times, [1.0, 0.5, 0.25], lattice)
    for chunk in (9, 100, 200):
        monkeypatch.setattr("medad.noise.simplex_torch._CHUNK", chunk)
        assert torch.equal(simplex_fields(seeds, [table, table], times, [1.0, 0.5, 0.25], lattice), whole)
    assert simplex_fields(seeds[:0], [table, table], None, [1.0] * 3, lattice).shape == (0, 9, 9)
