# SPDX-License-Identifier: Apache-2.0
"""Hashed gradients: which gradient a lattice point has, by a hash of seed and point.

Published code looks the gradient up in a permutation table of 256 entries. The hash gives the same noise for any seed
without lookups, which no processor vectorizes well.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .gradient_word import SHIFT, gradient_word
from .lattice import HASH_FIRST, HASH_NEXT, HASH_ROUNDS, Lattice, Offset
from .scalars import scalar


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
        self.places = [axis * SHIFT for axis in order]
        self.steps = [(axis * signed(HASH_NEXT)).bitwise_xor_(signed(HASH_FIRST)) for axis in order]
        self.number = seeds + cells[0] * signed(HASH_FIRST)
        for axis, cell in enumerate(cells[1:], start=1):
            self.number += cell * signed(HASH_FIRST ^ axis * HASH_NEXT)
        self.offset: Offset = (0,) * len(order)
        word, device = gradient_word(lattice), self.number.device

        def constants(*numbers: int) -> list[Tensor]:
            return [scalar(signed(number), torch.int32, device) for number in numbers]

        self._rounds = [constants(*turn) for turn in HASH_ROUNDS]
        # an axis by the lowest bits of the hash: as a fraction of the axes, then as the place of its bits
        self._choice = constants((1 << word.choice_bits) - 1, lattice.dims, word.choice_bits, SHIFT)
        self._signs, self._short, self._longer, self._mask = constants(*word[:4])
        # memory of the intermediate values of every lattice point: to allocate it anew takes longer than to fill it
        self._bits, self._spare = torch.empty_like(self.number), torch.empty_like(self.number)
        self._terms = [torch.empty_like(self.number) for _ in order]

    def product(self, offset: Offset, distances: Sequence[Tensor]) -> Tensor:
        """Multiply the gradients of a lattice point with the distances from it.

        Args:
            offset: the point, from the cell of each voxel, by rank.
            distances: ``float32`` distances, one tensor per rank.

        Returns:
            Scalar products, ``float32``; the next call overwrites them.
        """
        for count, before, step in zip(offset, self.offset, self.steps, strict=True):
            if count != before:
                self.number.add_(step, alpha=count - before)
        self.offset = offset
        bits, spare, mixed = self._bits, self._spare, self.number
        for shift, factor in self._rounds:
            torch.bitwise_right_shift(mixed, shift, out=spare)
            mixed = torch.bitwise_xor(mixed, spare, out=bits).mul_(factor)
        all_choices, dims, choice_bits, shift = self._choice
        place = torch.bitwise_and(bits, all_choices, out=spare).mul_(dims).bitwise_right_shift_(choice_bits).mul_(shift)
        longer = torch.bitwise_right_shift(self._longer, place, out=spare)
        word = bits.bitwise_and_(self._signs).bitwise_or_(self._short).bitwise_or_(longer)
        total: Tensor | None = None
        for term, place, distance in zip(self._terms, self.places, distances, strict=True):
            torch.bitwise_left_shift(word, place, out=term).bitwise_and_(self._mask)
            product = term.view(torch.float32).mul_(distance)
            total = product if total is None else total.add_(product)
        assert total is not None
        return total
