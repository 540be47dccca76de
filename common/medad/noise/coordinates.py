# SPDX-License-Identifier: Apache-2.0
"""Voxel indices of one axis as noise coordinates of every octave, exact however large the index is.

A coordinate x = index * spacing / wavelength and its share of the skew, stretch * x, are each split into a whole number
and a rest below one, in double precision. What follows in single precision sees small numbers only.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class AxisTable(NamedTuple):
    """Coordinates of one axis; each tensor is ``(octaves, size)``.

    Args:
        whole: ``int32`` whole part of the coordinate.
        rest: ``float32`` rest in [0, 1].
        skew_whole: ``int32`` whole part of the coordinate's share of the skew.
        skew_rest: ``float32`` rest of it.
    """

    whole: Tensor
    rest: Tensor
    skew_whole: Tensor
    skew_rest: Tensor


def axis_table(positions: Tensor, wavelengths: Tensor, stretch: float) -> AxisTable:
    """Split the coordinates of an axis.

    Args:
        positions: positions ``(size,)``, in units of the wavelength.
        wavelengths: ``float64`` wavelength of each octave ``(octaves,)``.
        stretch: skew of the lattice.

    Returns:
        The table of the axis, on the device of ``positions``.
    """
    coordinates = positions.to(torch.float64)[None, :] / wavelengths[:, None]
    return AxisTable(*_split(coordinates), *_split(stretch * coordinates))


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    whole = values.floor()
    return whole.to(torch.int32), (values - whole).to(torch.float32)
