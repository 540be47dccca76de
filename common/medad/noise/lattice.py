# SPDX-License-Identifier: Apache-2.0
"""Constants of OpenSimplex noise (Spencer 2014) in two, three and four dimensions.

S(x) = 1/N sum over lattice points o of max(0, 2 - |d|^2)^4 (g . d),  d = x - o in unskewed coordinates.

The published code walks a tree of cases for each region of a cell. Here the same sum runs over fixed candidates
without a branch; candidates that are out of reach give nothing. The lattice looks the same from every axis, so the
coordinates of a voxel within its cell are sorted first: candidates are offsets by *rank*, that along the axis of the
largest coordinate first, and there are half as many of them as by axis.

Gradients have one long component and short ones, of either sign. They are those of the published code times a constant
that makes the short components 2 in every dimension (:mod:`.gradient_word` says why).
"""

from dataclasses import dataclass

Offset = tuple[int, ...]
SHORT = 2.0
"""Magnitude of all components of a gradient but one."""


@dataclass(frozen=True)
class Lattice:
    """Geometry of the noise of one dimension.

    Args:
        dims: number of coordinates D.
        stretch: skew of coordinates towards the lattice, x + stretch * sum(x).
        squish: skew back, b + squish * sum(b).
        norm: divisor N that keeps single octaves within about -1 and 1.
        long: magnitude of the long component of a gradient; that of the others is ``SHORT``.
        points: candidates of the production form, offsets by rank from the cell of a voxel, each one or two steps from
            the one before.
        rare_points: further candidates; with them the sum is complete.
    """

    dims: int
    stretch: float
    squish: float
    norm: float
    long: float
    points: tuple[Offset, ...]
    rare_points: tuple[Offset, ...]


def _offsets(text: str) -> tuple[Offset, ...]:
    """Read offsets that are written as digits, with ``m`` for -1."""
    return tuple(tuple(-1 if digit == "m" else int(digit) for digit in word) for word in text.split())


LATTICES = {
    2: Lattice(
        dims=2,
        stretch=-0.211324865405187,
        squish=0.366025403784439,
        norm=47.0,
        long=5.0,
        points=_offsets("00 20 10 1m 11 01"),
        rare_points=(),
    ),
    3: Lattice(
        dims=3,
        stretch=-1.0 / 6.0,
        squish=1.0 / 3.0,
        norm=51.5,
        long=5.5,
        points=_offsets("000 001 011 111 110 010 210 200 100 101 10m 11m"),
        rare_points=_offsets("1m0 120 201 01m"),
    ),
    4: Lattice(
        dims=4,
        stretch=-0.138196601125011,
        squish=0.309016994374947,
        norm=60.0,
        long=6.0,
        points=_offsets(
            "0000 0010 0110 0100 2100 2000 1000 1200 1100 11m0 1110 "
            "1010 1011 0011 0001 1001 1101 0101 0111 1111 111m 110m"
        ),
        rare_points=_offsets("100m 2110 10m0 1210 1m00 1120 101m 2010 2101 010m 01m0 1201 011m 2001 001m 2011"),
    ),
}
"""The production form leaves out ``rare_points``."""

EXCHANGES = {
    2: ((0, 1),),
    3: ((0, 1), (1, 2), (0, 1)),
    4: ((0, 1), (2, 3), (0, 2), (1, 3), (1, 2)),
}
"""Compared pairs, one after the other, that sort as many numbers."""

HASH_FIRST, HASH_NEXT = 0x9E3779B1, 0x85EBCA76
"""Lattice point b of a field has the number seed + sum over axes of b_i * (HASH_FIRST xor i * HASH_NEXT), modulo 2^32.

Modulo 2^32 such sums repeat: the shortest known ways to the same number are (-12010, 21478) cells in 2D,
(-344, 307, 207) in 3D and (-75, -14, 111, -82) in 4D.
"""

HASH_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
"""Arithmetic shifts and multipliers that scramble that number (after lowbias32 of Chris Wellons)."""
