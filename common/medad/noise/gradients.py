# SPDX-License-Identifier: Apache-2.0
"""Which gradient a lattice point has: by a hash of seed and point, or by a permutation table.

The hash makes fields for any seed without a period and without a table, whose lookups no processor vectorizes well. The
table of 256 entries reproduces published fields, point by point.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .lattice import HASH_AXES, HASH_ROUNDS, Lattice, Offset


def signed(value: int) -> int:
    """Write an unsigned 32-bit number as the signed one of the same bits: torch has no unsigned arithmetic."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


class HashedGradients:
    """Gradients of the production form; the operations are those of ``simplex.h``.

    Args:
        seeds: ``int32`` seeds that broadcast to the cells.
        cells: ``int32`` cell of each voxel, one tensor per coordinate.
        lattice: constants of the dimension.
    """

    def __init__(self, seeds: Tensor, cells: Sequence[Tensor], lattice: Lattice) -> None:
        self.lattice = lattice
        self.number = seeds + cells[0] * signed(HASH_AXES[0])
        for cell, factor in zip(cells[1:], HASH_AXES[1:], strict=False):
            self.number += cell * signed(factor)

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        """Multiply the gradients of a lattice point with the distances from it.

        Args:
            offset: the point, from the cell of each voxel.
            distances: ``float32`` distances, one tensor per coordinate.

        Returns:
            Scalar products, ``float32``.
        """
        bits = self.number + signed(sum(o * factor for o, factor in zip(offset, HASH_AXES, strict=False)))
        for shift, factor in HASH_ROUNDS:
            bits.bitwise_xor_(_shift_right(bits, shift)).mul_(signed(factor))
        bits.bitwise_xor_(_shift_right(bits, 16))
        # bit 31 - axis is the sign of that component
        terms = [_flip(distance, bits << axis) for axis, distance in enumerate(distances)]
        total = terms[0] + terms[1]
        for term in terms[2:]:
            total += term
        # the low 16 bits choose the axis of the long component
        axis_of_long = bits.bitwise_and_(0xFFFF).mul_(self.lattice.dims).bitwise_right_shift_(16)
        long = terms[-1]
        for axis, term in enumerate(terms[:-1]):
            long = torch.where(axis_of_long == axis, term, long)
        return total.mul_(self.lattice.small).add_(long * (self.lattice.big - self.lattice.small))


def _flip(values: Tensor, signs: Tensor) -> Tensor:
    """Turn the sign of values where the highest bit of ``signs`` is set."""
    return signs.bitwise_and_(signed(1 << 31)).bitwise_xor(values.view(torch.int32)).view(torch.float32)


def _shift_right(bits: Tensor, count: int) -> Tensor:
    return (bits >> count).bitwise_and_((1 << (32 - count)) - 1)


class TabulatedGradients:
    """Gradients by the permutation table of a published field.

    Args:
        permutation: the numbers 0 to 255 in the order of the field ``(256,)``.
        cells: ``int32`` cell of each voxel, one tensor per coordinate.
        lattice: constants of the dimension, 3 or 4 of them.

    Raises:
        ValueError: if the table has another length.

    References:
        The order of gradients is that of OpenSimplex (Spencer 2014), public domain.
    """

    def __init__(self, permutation: Tensor, cells: Sequence[Tensor], lattice: Lattice) -> None:
        if permutation.shape != (256,):
            raise ValueError(f"permutation of shape {tuple(permutation.shape)}: (256,) is expected.")
        self.permutation = permutation.to(torch.int64)
        self.cells = cells
        self.gradients = _gradients(lattice)

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        """Multiply the gradients of a lattice point with the distances from it.

        Args:
            offset: the point, from the cell of each voxel.
            distances: distances, one tensor per coordinate.

        Returns:
            Scalar products, in the type of the distances.
        """
        entry = torch.zeros((), dtype=torch.int64)
        for cell, step in zip(self.cells, offset, strict=True):
            entry = self.permutation[(entry + cell + step) & 255]
        number = entry % 24 if len(offset) == 3 else entry >> 2
        gradients = self.gradients.to(distances[0].dtype)[number]
        return (gradients * torch.stack(torch.broadcast_tensors(*distances), dim=-1)).sum(-1)


def _gradients(lattice: Lattice) -> Tensor:
    """List the gradients in the published order."""
    # in 3D sign triples by parity, in 4D signs that flip fastest in the first component
    if lattice.dims == 3:
        triples = ("-++", "+++", "--+", "+-+", "-+-", "++-", "---", "+--")
        signs = [[1 if sign == "+" else -1 for sign in triple] for triple in triples]
    elif lattice.dims == 4:
        signs = [[1 - 2 * (number >> axis & 1) for axis in range(4)] for number in range(16)]
    else:
        raise ValueError(f"no published table of gradients with {lattice.dims} coordinates.")
    rows = [
        [sign * (lattice.big if axis == long else lattice.small) for axis, sign in enumerate(each)]
        for each in signs
        for long in range(lattice.dims)
    ]
    return torch.tensor(rows)
