# SPDX-License-Identifier: Apache-2.0
"""Choose the views of a case: which planes of the body are shown, and where they cut it.

A single slice is shown as it is. A volume is cut into

- three planes through one place, axial, coronal and sagittal, where its voxels are about as long as wide and the
  network sees all of it at once;
- three slices in any other case: those of its plane where the network works on slices, axial ones where the file does
  not say how its axes lie, else those across the longest edge of a voxel, as the volume was taken.
"""

from dataclasses import dataclass

import numpy as np

from ..planes import FRONT_BACK, LEFT_RIGHT, UP_DOWN, axis_across
from .places import Evidence, choose_place, choose_slices
from .turn import Array, Turn, axes_of_body

ISOTROPIC = 2.0
"""Longest edge of a voxel over the shortest, up to which three planes are shown."""


@dataclass(frozen=True)
class View:
    """One plane of a volume.

    Attributes:
        turn: from the file to the plane.
        index: which slice of the turned volume.
    """

    turn: Turn
    index: int


def choose_views(
    evidence: Evidence, affine: Array, *, oriented: bool, by_slices: bool, slice_plane: str = "axial"
) -> list[View]:
    """Choose the views of one image; see :mod:`.places` for where they are.

    Args:
        evidence: volumes with the axes of the file; a flat image has one slice.
        affine: 4 x 4, voxel index to RAS in mm.
        oriented: whether the file says how its axes lie in the body.
        by_slices: whether the network works on slices.
        slice_plane: in which these lie, ``"axial"``, ``"coronal"`` or ``"sagittal"``.

    Returns:
        One view or several, the most important first.
    """
    shape, body = evidence.anomaly_map.shape[1:], axes_of_body(affine)
    thin = [axis for axis in (2, 1, 0) if shape[axis] == 1]
    if thin:
        return [View(Turn(affine, shape, body[thin[0]]), 0)]
    axial = Turn(affine, shape, UP_DOWN)
    edges = axial.voxel_size  # along left-right, front-back, up-down
    if oriented and not by_slices and edges.max() <= ISOTROPIC * edges.min():
        place = axial.voxel_of_file(choose_place(evidence.turned(axial)))
        planes = [Turn(affine, shape, plane) for plane in (UP_DOWN, FRONT_BACK, LEFT_RIGHT)]
        return [View(plane, plane.index_of(place)) for plane in planes]
    across = axis_across(slice_plane) if by_slices else int(np.argmax(edges)) if oriented else UP_DOWN
    turn = Turn(affine, shape, across)
    return [View(turn, index) for index in choose_slices(evidence.turned(turn))]
