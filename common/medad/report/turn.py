# SPDX-License-Identifier: Apache-2.0
"""Turn the voxels of a file to a plane of the body, whatever the order and direction of its axes.

``turned[c, i, j, k]``: column ``i`` and row ``j`` of slice ``k`` of a radiological picture. An oblique axis counts as
the one of the body that it is closest to.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from ..planes import PLANE_AXES

Array = npt.NDArray[Any]
Points = npt.NDArray[np.float64]

_OPPOSITE = {"L": "R", "P": "A", "I": "S"}
_DIGITS = 5  # of a voxel size: what inverted transforms leave behind is no anisotropy


class Turn:
    """How the axes of one file become columns, rows and slices.

    Args:
        affine: 4 x 4, voxel index of the file to RAS in mm.
        shape: ``(x, y, z)`` of the file.
        plane: axis of the body across the pictures, a key of ``PLANE_AXES``.
    """

    def __init__(self, affine: Array, shape: tuple[int, ...], plane: int) -> None:
        self.plane = plane
        self._axes = PLANE_AXES[plane]
        self._turn = ornt_transform(io_orientation(affine), axcodes2ornt(self._axes))
        self._to_file = inv_ornt_aff(self._turn, shape)
        self._to_picture = np.linalg.inv(self._to_file)
        self._order = [int(axis) for axis in np.argsort(self._turn[:, 0])]
        self.shape = tuple(shape[axis] for axis in self._order)
        """Columns, rows and slices."""
        self.voxel_size = voxel_sizes(affine).round(_DIGITS)[self._order]
        """Distance of two columns, rows and slices in mm."""

    def array(self, volume: Array) -> Array:
        """Turn a volume ``(C, x, y, z)``; the result is a view of it."""
        turned: Array = apply_orientation(np.moveaxis(volume, 0, -1), self._turn)
        return np.moveaxis(turned, -1, 0)

    def points(self, points: Points) -> Points:
        """Turn points or balls ``(n, 3)`` or ``(n, 4)``, in voxels of the file."""
        return np.column_stack([apply_affine(self._to_picture, points[:, :3]), points[:, 3:]])

    def voxel_of_file(self, voxel: tuple[int, int, int]) -> tuple[int, ...]:
        """Say where a voxel lies in the file."""
        return tuple(int(index) for index in np.rint(apply_affine(self._to_file, voxel)))

    def index_of(self, voxel: tuple[int, ...]) -> int:
        """Say in which slice a voxel of the file lies."""
        return int(np.rint(apply_affine(self._to_picture, voxel))[2])

    def index_in_file(self, index: int) -> int:
        """Say where a slice lies in the file, along the axis across it."""
        return self.voxel_of_file((0, 0, index))[self._order[2]]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """What lies beyond the left, right, upper and lower edge of a picture."""
        right, bottom = self._axes[0], self._axes[1]
        return _OPPOSITE[right], right, _OPPOSITE[bottom], bottom


def axes_of_body(affine: Array) -> list[int]:
    """Say which axis of the body (0 left-right, 1 front-back, 2 up-down) each axis of a file runs along."""
    return [int(axis) for axis in io_orientation(affine)[:, 0]]
