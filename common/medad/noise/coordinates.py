# SPDX-License-Identifier: Apache-2.0
"""Noise coordinates: voxel indices of one axis for every octave, exact however large the index is.

A coordinate x = index * spacing / wavelength and its share of the skew, stretch * x, are each split into a whole number
and a rest below one, in double precision. What follows in single precision sees small numbers only.
"""

import functools
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


@functools.lru_cache(maxsize=64)
def octave_wavelengths(frequency: float, octaves: int, device: torch.device) -> Tensor:
    """Halve the wavelength from octave to octave.

    Args:
        frequency: wavelength of the coarsest octave.
        octaves: number of octaves.
        device: where the wavelengths are needed.

    Returns:
        ``float64`` ``(octaves,)``, kept for the next call.
    """
    with torch.inference_mode(False):  # what is kept must serve every mode
        return (frequency * 0.5 ** torch.arange(octaves, dtype=torch.float64)).to(device)


@functools.lru_cache(maxsize=64)
def voxel_axis_table(
    first: int, size: int, spacing: float, frequency: float, octaves: int, stretch: float, device: torch.device
) -> AxisTable:
    """Split the coordinates of consecutive voxels; images of one size ask for the same table again and again.

    Args:
        first: index of the first voxel.
        size: number of voxels.
        spacing: factor of the indices.
        frequency: wavelength of the coarsest octave.
        octaves: number of octaves.
        stretch: skew of the lattice.
        device: where the table is needed.

    Returns:
        The table of the axis, kept for the next call.
    """
    processor = torch.device("cpu")  # made there and copied: a copy that has ended is seen by all streams of a device
    with torch.inference_mode(False):
        positions = torch.arange(first, first + size, dtype=torch.float64) * spacing
        table = axis_table(positions, octave_wavelengths(frequency, octaves, processor), stretch)
        return AxisTable(*(entry.to(device) for entry in table))


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    whole = values.floor()
    return whole.to(torch.int32), (values - whole).to(torch.float32)
