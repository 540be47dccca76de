# SPDX-License-Identifier: Apache-2.0
"""Constants of OpenSimplex noise (Spencer 2014) in two, three and four dimensions.

S(x) = 1/N sum over lattice points o of max(0, 2 - |d|^2)^4 (g . d),  d = x - o in unskewed coordinates.

The published code walks a tree of cases for each region of a cell. Here the same sum runs over fixed candidates
without a branch; candidates that are out of reach give nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations, product

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
        points: candidates of the production form, offsets from the cell of a voxel.
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


def _arrangements(*kinds: Offset) -> Iterable[Offset]:
    """Give every order of the numbers of each kind."""
    for kind in kinds:
        yield from sorted(set(permutations(kind)))


def _corners(dims: int) -> Iterable[Offset]:
    return product((0, 1), repeat=dims)


LATTICES = {
    2: Lattice(
        dims=2,
        stretch=-0.211324865405187,
        squish=0.366025403784439,
        norm=47.0,
        small=2,
        big=5,
        points=(*_corners(2), *_arrangements((0, 2), (-1, 1))),
        rare_points=(),
    ),
    3: Lattice(
        dims=3,
        stretch=-1.0 / 6.0,
        squish=1.0 / 3.0,
        norm=103.0,
        small=4,
        big=11,
        points=(*_corners(3), *_arrangements((0, 0, 2), (-1, 1, 1), (-1, 0, 1))),
        rare_points=tuple(_arrangements((0, 1, 2))),
    ),
    4: Lattice(
        dims=4,
        stretch=-0.138196601125011,
        squish=0.309016994374947,
        norm=30.0,
        small=1,
        big=3,
        points=(*_corners(4), *_arrangements((-1, 1, 1, 1), (0, 0, 0, 2), (-1, 0, 1, 1), (0, 0, 1, 2))),
        rare_points=tuple(_arrangements((-1, 0, 0, 1), (0, 1, 1, 2))),
    ),
}
"""The production form leaves out ``rare_points``: in published 3D fields of six octaves they are 0.0005 rms."""

HASH_AXES = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
"""Odd 32-bit constants, one per coordinate: lattice point b of a field has the number seed + sum(b_i * constant_i)."""

HASH_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
"""Shifts and multipliers that scramble that number (lowbias32 of Chris Wellons), then a shift by 16."""
