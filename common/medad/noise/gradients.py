# SPDX-License-Identifier: Apache-2.0
"""Which gradient a lattice point has: by a hash of seed and point.

Published code looks the gradient up in a permutation table of 256 entries. The hash gives the same noise for any seed
without a period, and without lookups, which no processor vectorizes well.
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
    """Gradients of all lattice points around the cells of voxels.

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
