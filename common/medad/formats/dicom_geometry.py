# SPDX-License-Identifier: Apache-2.0
"""Geometry of DICOM slices: their order and affine, from their positions.

Voxel (x, y, z) lies at p(x, y, z) = p_first + x dx row + y dy column + z (p_last - p_first) / (n - 1).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .affine import require_invertible
from .dicom_planes import SlicePlane
from .image_array import LPS_TO_RAS

_UNEVEN, _AMBIGUOUS = 0.1, 0.4
_ROUNDED_MM = 0.1001  # two coordinates that were rounded to 0.1 mm each
_SAME_POSITION_MM = 1e-3
_SAME_DIRECTION = 1e-3


def order_and_affine(planes: Sequence[SlicePlane], where: str) -> tuple[list[int], NDArray[np.float64]]:
    """Sort slices along their normal and compute the affine of the stack.

    Args:
        planes: one plane per slice, in any order.
        where: named in errors.

    Returns:
        Indices into ``planes`` in spatial order, and the affine (voxel index ``(column, row, slice)`` to RAS in mm).

    Raises:
        InputError: if slices differ in size, spacing or orientation, share a position, are unevenly spaced, or do not
            lie straight behind each other.
    """
    _require_one_geometry(planes, where)
    row, column = np.asarray(planes[0].orientation[:3]), np.asarray(planes[0].orientation[3:])
    normal = np.cross(row, column)
    positions = np.asarray([plane.position for plane in planes], dtype=np.float64)
    depths = positions @ normal
    order = [int(index) for index in np.argsort(depths, kind="stable")]
    _require_even_steps(np.diff(depths[order]), _ROUNDED_MM * float(np.abs(normal).sum()), where)
    _require_no_tilt(positions - positions[order[0]], normal / np.linalg.norm(normal), min(planes[0].spacing), where)
    first, last = positions[order[0]], positions[order[-1]]
    step = (last - first) / (len(planes) - 1) if len(planes) > 1 else normal * planes[0].thickness
    affine = np.eye(4)
    affine[:3, 0] = row * planes[0].spacing[1]
    affine[:3, 1] = column * planes[0].spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first
    require_invertible(affine, where, "position, orientation and spacing")
    return order, LPS_TO_RAS @ affine


def _require_one_geometry(planes: Sequence[SlicePlane], where: str) -> None:
    first = planes[0]
    if any(plane.size != first.size for plane in planes):
        found = f"slices of different sizes {sorted({plane.size for plane in planes})}"
    elif any(not np.allclose(plane.orientation, first.orientation, atol=_SAME_DIRECTION) for plane in planes):
        found = "slices of different orientations (a localizer?)"
    elif any(not np.allclose(plane.spacing, first.spacing, rtol=_SAME_DIRECTION) for plane in planes):
        found = "slices of different pixel spacings"
    else:
        return
    raise InputError(
        f"a mixed series: {found}",
        where=where,
        expected="parallel slices of one size",
        remedy="Put each stack of slices into a folder and a series of its own.",
    )


def _require_even_steps(steps: NDArray[np.float64], rounding: float, where: str) -> None:
    if steps.size == 0:
        return
    if steps.min() < _SAME_POSITION_MM:
        raise InputError(
            f"a mixed series: {int((steps < _SAME_POSITION_MM).sum())} slices lie where another one lies",
            where=where,
            expected="one slice per position",
            remedy="Separate the echoes, phases, time points or copies into series of their own.",
        )
    median = float(np.median(steps))
    if np.abs(steps - median).max() > max(_UNEVEN * median, min(rounding, _AMBIGUOUS * median)):
        raise InputError(
            f"uneven slice spacing between {steps.min():.3g} and {steps.max():.3g} mm: slices are missing",
            where=where,
            expected=f"one slice every {median:.3g} mm",
            remedy="Complete the series; the missing files may not have been exported.",
        )


def _require_no_tilt(shifts: NDArray[np.float64], normal: NDArray[np.float64], pixel: float, where: str) -> None:
    """Refuse slices that are shifted within their planes: few viewers show a grid whose axes are not orthogonal."""
    within = np.linalg.norm(shifts - np.outer(shifts @ normal, normal), axis=1).max()
    if within > pixel:
        raise InputError(
            f"a tilted series: its slices are shifted within their planes by up to {within:.3g} mm (gantry tilt?)",
            where=where,
            expected=f"slices straight behind each other, within a pixel of {pixel:.3g} mm",
            remedy="Convert it with dcm2niix, which also writes a volume with the tilt corrected, and give that one.",
        )
