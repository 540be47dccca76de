# SPDX-License-Identifier: Apache-2.0
"""Which gradient a lattice point has: by a hash of seed and point.

Published code looks the gradient up in a permutation table of 256 entries. The hash gives the same noise for any seed
without lookups, which no processor vectorizes well.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .lattice import HASH_FIRST, HASH_NEXT, HASH_ROUNDS, Lattice, Offset


def signed(value: int) -> int:
    """Write an unsigned 32-bit number as the signed one of the same bits: torch has no unsigned arithmetic."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


class HashedGradients:
    """Gradients of all lattice points around the cells of voxels.

    Args:
        seeds: ``int32`` seeds that broadcast to the cells.
        cells: ``int32`` cell of each voxel, one tensor per coordinate.
        order: ``int32`` axis of each rank, one tensor per rank.
        lattice: constants of the dimension.
    """

    def __init__(self, seeds: Tensor, cells: Sequence[Tensor], order: Sequence[Tensor], lattice: Lattice) -> None:
        self.lattice = lattice
        self.order = order
        self.steps = [(axis * signed(HASH_NEXT)).bitwise_xor_(signed(HASH_FIRST)) for axis in order]
        self.number = seeds + cells[0] * signed(HASH_FIRST)
        for axis, cell in enumerate(cells[1:], start=1):
            self.number += cell * signed(HASH_FIRST ^ axis * HASH_NEXT)
        # memory of the intermediate values of every lattice point: to allocate it anew takes longer than to fill it
        self._bits, self._spare = torch.empty_like(self.number), torch.empty_like(self.number)
        self._terms = [torch.empty_like(self.number) for _ in order]
        self._total = torch.empty_like(self.number, dtype=torch.float32)

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        """Multiply the gradients of a lattice point with the distances from it.

        Args:
            offset: the point, from the cell of each voxel, by rank.
            distances: ``float32`` distances, one tensor per rank.

        Returns:
            Scalar products, ``float32``; the next call overwrites them.
        """
        bits, spare = self._bits.copy_(self.number), self._spare
        for count, step in zip(offset, self.steps, strict=True):
            if count != 0:
                bits.add_(step, alpha=count)
        for shift, factor in HASH_ROUNDS:
            bits.bitwise_xor_(_shift_right(bits, shift, spare)).mul_(signed(factor))
        bits.bitwise_xor_(_shift_right(bits, 16, spare))
        # bit 31 - axis is the sign of that component
        for term, axis, distance in zip(self._terms, self.order, distances, strict=True):
            torch.bitwise_left_shift(bits, axis, out=term).bitwise_and_(signed(1 << 31))
            term.bitwise_xor_(distance.view(torch.int32))
        # the low 16 bits choose the axis of the long component; the other terms become 0
        axis_of_long = bits.bitwise_and_(0xFFFF).mul_(self.lattice.dims).bitwise_right_shift_(16)
        first, *others = (term.view(torch.float32) for term in self._terms)
        total = torch.add(first, others[0], out=self._total)
        for term in others[1:]:
            total += term
        for term, axis in zip(self._terms, self.order, strict=True):
            # all bits set where the axes are the same: several times faster than a choice
            term.bitwise_and_(torch.bitwise_xor(axis_of_long, axis, out=spare).sub_(1).bitwise_right_shift_(31))
        for term in others:
            first += term
        return total.mul_(self.lattice.small).add_(first.mul_(self.lattice.big - self.lattice.small))


def _shift_right(bits: Tensor, count: int, out: Tensor) -> Tensor:
    return torch.bitwise_right_shift(bits, count, out=out).bitwise_and_((1 << (32 - count)) - 1)
