# SPDX-License-Identifier: Apache-2.0
"""Gradient word: a gradient of the noise in 32 bits, found without a table, a choice or a comparison.

The word holds the bits of every component as a number in single precision; those of axis a stand ``SHIFT * a`` places
lower. Shifted to the left by as much and masked, the word *is* the component. That works because short and long
component differ in two or three bits, and because no bit of an axis comes to lie on a masked bit of another.
"""

import struct
from typing import NamedTuple

from .lattice import SHORT, Lattice

SHIFT = 6
"""Distance of the bits of one axis from those of the next."""


class GradientWord(NamedTuple):
    """Numbers that make the word from the bits of a hash.

    Args:
        signs: bits of the hash that are signs.
        short: bits of short components on all axes.
        longer: bits by which a component on axis 0 becomes long.
        mask: bits of one component, once they are shifted to their place.
        choice_bits: how many bits, the lowest of the hash, choose the axis of the long component.
    """

    signs: int
    short: int
    longer: int
    mask: int
    choice_bits: int


def gradient_word(lattice: Lattice) -> GradientWord:
    """Lay out the gradients of a lattice.

    Args:
        lattice: constants of the dimension.

    Returns:
        Numbers below 2^32.
    """
    places = range(0, SHIFT * lattice.dims, SHIFT)
    short = _bits(SHORT)
    longer = short ^ _bits(lattice.long)
    return GradientWord(
        signs=sum((1 << 31) >> place for place in places),
        short=sum(short >> place for place in places),
        longer=longer,
        mask=1 << 31 | short | longer,
        choice_bits=31 - places[-1],
    )


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack(">f", value), "big")
