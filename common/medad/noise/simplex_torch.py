# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise in torch operations, on every device.

Products and sums are separate operations, each rounded, so that a voxel has the same value in every tile: a fused one
may be used in the body of a vector loop and not at its end.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from .coordinates import AxisTable
from .gradients import HashedGradients
from .lattice import EXCHANGES, Lattice, Offset
from .scalars import scalar

_CHUNK = 3 << 16
"""Voxels that are worked on together: enough for several threads, few enough for bounded memory."""


class Gradients(Protocol):
    """Gives scalar products of gradients and distances."""

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        """Multiply the gradients of a lattice point with the distances from it, both by rank."""
        ...


def simplex_fields(
    seeds: Tensor, axes: Sequence[AxisTable], times: AxisTable | None, amplitudes: Sequence[float], lattice: Lattice
) -> Tensor:
    """Sum the octaves of every field.

    Args:
        seeds: ``int32`` seeds ``(F, octaves)``.
        axes: coordinates of the spatial axes, first axis first.
        times: coordinates of the time axis, one column for each field; None if the field has no time.
        amplitudes: factor of each octave, the divisor of the lattice included.
        lattice: constants of the dimension.

    Returns:
        ``float32`` fields ``(F, *spatial)``.
    """
    sizes = [table.whole.shape[1] for table in axes]
    fields = torch.empty(len(seeds), *sizes, dtype=torch.float32, device=seeds.device)
    if fields.numel() == 0:
        return fields
    row = fields[0, 0].numel()
    rows = min(sizes[0], max(1, _CHUNK // row))
    together = max(1, _CHUNK // (row * sizes[0]))
    for first in range(0, len(seeds), together):
        chosen = slice(first, first + together)
        moments = [] if times is None else [AxisTable(*(entry[:, chosen] for entry in times))]
        for start in range(0, sizes[0], rows):
            piece = AxisTable(*(entry[:, start : start + rows] for entry in axes[0]))
            block = fields[chosen, start : start + rows].zero_()
            at_once = max(1, _CHUNK // block.numel())
            for octave in range(0, len(amplitudes), at_once):
                part = slice(octave, octave + at_once)
                tables = [columns(table, part, axis, len(axes)) for axis, table in enumerate([piece, *axes[1:]], 1)]
                tables += [columns(table, part, 0, len(axes)) for table in moments]
                cells, inside = locate(tables)
                ranked, order = rank(inside)
                octave_seeds = seeds[chosen, part].T.reshape(-1, len(block), *[1] * len(axes))
                gradients = HashedGradients(octave_seeds, cells, order, lattice)
                values = sum_points(ranked, gradients, lattice.points, lattice.squish)
                for value, amplitude in zip(values, amplitudes[part], strict=True):
                    block += value.mul_(amplitude)
    return fields


def columns(table: AxisTable, octaves: slice, axis: int, spatial_dims: int) -> AxisTable:
    """Take some octaves of a table and lay them along an axis of ``(octaves, F, *spatial)``."""
    shape = [1] * (spatial_dims + 1)
    shape[axis] = table.whole.shape[1]
    return AxisTable(*(entry[octaves].reshape(-1, *shape) for entry in table))


def locate(tables: Sequence[AxisTable]) -> tuple[list[Tensor], list[Tensor]]:
    """Find the cell of every voxel and the position in it, in skewed coordinates.

    Args:
        tables: coordinates of each axis, broadcastable to each other.

    Returns:
        ``int32`` cells and positions in [0, 1], one tensor per coordinate.
    """
    skew_whole, skew_rest = tables[0].skew_whole, tables[0].skew_rest
    for table in tables[1:]:
        skew_whole = skew_whole + table.skew_whole
        skew_rest = skew_rest + table.skew_rest
    cells, inside = [], []
    for table in tables:
        position = skew_rest + table.rest
        floor = position.floor()
        cells.append((skew_whole + table.whole) + floor.to(torch.int32))
        inside.append(position.sub_(floor))
    return cells, inside


def rank(inside: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Sort the coordinates of every voxel, the largest first.

    Args:
        inside: position in the cell, one tensor per coordinate.

    Returns:
        Positions by rank, and the axis (``int32``) that each is of.
    """
    positions = list(inside)
    order = [torch.full_like(position, axis, dtype=torch.int32) for axis, position in enumerate(positions)]
    for first, second in EXCHANGES[len(positions)]:
        one, other = positions[first], positions[second]
        positions[first], positions[second] = torch.maximum(one, other), torch.minimum(one, other)
        change = _below(one, other).bitwise_and_(order[first] ^ order[second])
        order[first], order[second] = order[first] ^ change, order[second] ^ change
    return positions, order


def _below(one: Tensor, other: Tensor) -> Tensor:
    """Set all bits of an ``int32`` where one number is below the other: several times faster than a comparison."""
    difference = one - other
    whole = torch.int32 if difference.dtype == torch.float32 else torch.int64
    return difference.view(whole).bitwise_right_shift_(torch.iinfo(whole).bits - 1).to(torch.int32)


def sum_points(ranked: Sequence[Tensor], gradients: Gradients, points: Sequence[Offset], squish: float) -> Tensor:
    """Add up what the lattice points near each voxel give: max(0, 2 - |d|^2)^4 (g . d).

    Args:
        ranked: position in the cell, in skewed coordinates, one tensor per rank.
        gradients: gradients of the lattice points around the cells.
        points: candidates, offsets by rank from the cell.
        squish: skew of the lattice back.

    Returns:
        Sum for every voxel, in the type of ``ranked``.
    """
    skew = ranked[0] + ranked[1]
    for position in ranked[2:]:
        skew += position
    skew.mul_(squish)
    origin = [position + skew for position in ranked]
    nearness = _nearness(origin, squish, sorted({sum(point) for point in points}))
    distances, reach = [torch.empty_like(position) for position in origin], torch.empty_like(skew)
    number = partial(scalar, dtype=skew.dtype, device=skew.device)
    total: Tensor | None = None
    for point in points:
        steps = sum(point)
        near = nearness[steps]
        for position, step in zip(origin, point, strict=True):
            if step != 0:
                # exact, since steps are powers of two: to be fused or not makes no difference
                near = torch.add(near, position, alpha=2 * step, out=reach)
        excess = sum(step * step for step in point) - steps
        if excess != 0:
            near = torch.sub(near, number(excess), out=reach)
        torch.clamp(near, min=0.0, out=reach)
        reach *= reach
        reach *= reach
        for distance, position, step in zip(distances, origin, point, strict=True):
            torch.sub(position, number(step + squish * steps), out=distance)
        value = gradients.product(point, distances).mul_(reach)
        total = value.clone() if total is None else total.add_(value)
    assert total is not None
    return total


def _nearness(origin: Sequence[Tensor], squish: float, sums: Sequence[int]) -> dict[int, Tensor]:
    """Give what 2 - |d|^2 has in common for all lattice points of as many steps.

    A point of steps s_i, k of them in all, is at s_i + squish k, thus 2 - |o - s - squish k|^2 =
    [2 - |o|^2 + 2 squish k sum(o_i) - k - (2 squish + D squish^2) k^2] + sum 2 s_i o_i - (|s|^2 - k).
    """
    common = torch.full_like(origin[0], 2.0)
    whole = torch.zeros_like(common)
    for position in origin:
        common -= position * position
        whole += position
    skew = 2.0 * squish + len(origin) * squish * squish
    return {k: (whole * (2.0 * squish * k) + common).sub_(k + skew * k * k) for k in sums}
