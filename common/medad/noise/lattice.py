# SPDX-License-Identifier: Apache-2.0
"""Constants of OpenSimplex noise (Spencer 2014) in two, three and four dimensions.

S(x) = 1/N sum over lattice points o of max(0, 2 - |d|^2)^4 (g . d),  d = x - o in unskewed coordinates.

The published code walks a tree of cases for each region of a cell. Here the same sum runs over fixed candidates
without a branch; candidates that are out of reach give nothing. The lattice looks the same from every axis, so the
coordinates of a voxel within its cell are sorted first: candidates are offsets by *rank*, that along the axis of the
largest coordinate first, and there are half as many of them as by axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

Offset = tuple[int, ...]


@dataclass(frozen=True)
class Lattice:
    """Geometry of the noise of one dimension.

    Args:
        dims: number of coordinates D.
        stretch: skew of coordinates towards the lattice, x + stretch * sum(x).
        squish: skew back, b + squish * sum(b).
        norm: divisor N that keeps single octaves within about -1 and 1.
        small: magnitude of all components of a gradient but one.
        big: magnitude of that one.
        points: candidates of the production form, offsets by rank from the cell of a voxel.
        rare_points: further candidates; with them the sum is complete.
    """

    dims: int
    stretch: float
    squish: float
    norm: float
    small: int
    big: int
    points: tuple[Offset, ...]
    rare_points: tuple[Offset, ...]


def _corners(dims: int) -> tuple[Offset, ...]:
    return tuple(product((0, 1), repeat=dims))


def _offsets(text: str) -> tuple[Offset, ...]:
    """Read offsets that are written as digits, with ``m`` for -1."""
    return tuple(tuple(-1 if digit == "m" else int(digit) for digit in word) for word in text.split())


LATTICES = {
    2: Lattice(
        dims=2,
        stretch=-0.211324865405187,
        squish=0.366025403784439,
        norm=47.0,
        small=2,
        big=5,
        points=_corners(2) + _offsets("20 1m"),
        rare_points=(),
    ),
    3: Lattice(
        dims=3,
        stretch=-1.0 / 6.0,
        squish=1.0 / 3.0,
        norm=103.0,
        small=4,
        big=11,
        points=_corners(3) + _offsets("200 11m 10m 210"),
        rare_points=_offsets("1m0 120 201 01m"),
    ),
    4: Lattice(
        dims=4,
        stretch=-0.138196601125011,
        squish=0.309016994374947,
        norm=30.0,
        small=1,
        big=3,
        points=_corners(4) + _offsets("2000 111m 110m 2100 11m0 1200"),
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
"""Shifts and multipliers that scramble that number (lowbias32 of Chris Wellons), then a shift by 16."""
