# SPDX-License-Identifier: Apache-2.0
"""Planes of DICOM slices: where each one lies, wherever a header says so."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .dicom_frames import frame_headers, has_frame_positions

_OF_TIME = ((0x0018, 0x1063), (0x0018, 0x1065))
"""What FrameIncrementPointer points to where frames follow each other in time: FrameTime, FrameTimeVector."""


@dataclasses.dataclass(frozen=True)
class SlicePlane:
    """Where one slice or frame lies, in DICOM's LPS coordinates (mm).

    Attributes:
        position: center of the first pixel.
        orientation: direction cosines along a row, then along a column.
        spacing: distance between rows, then between columns (the order of DICOM's PixelSpacing).
        thickness: distance to the next slice, where only one is known.
        size: rows and columns.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float
    size: tuple[int, int]


def plane_of(header: Any) -> SlicePlane | None:
    """Read the plane of a file with one frame, classic or enhanced, or ``None`` if it has no position in space.

    Raises:
        InputError: if it has one, and no pixel spacing, or numbers that are none.
    """
    return _plane(frame_headers(header)[0], header)


def planes_of_frames(header: Any) -> list[SlicePlane] | None:
    """Read the planes of a file with several frames, or ``None`` if these have no position in space.

    Where only the file has a position, as in many cone-beam CTs, its frames lie behind each other along the normal.

    Raises:
        InputError: as :func:`plane_of`; or if frames at one place follow each other in time, or at no known distance.
    """
    planes = [plane for frame in frame_headers(header) if (plane := _plane(frame, header)) is not None]
    if not planes or len(planes) < len(frame_headers(header)):
        return None
    return planes if has_frame_positions(header) or len(planes) == 1 else _stacked(planes, header)


def _stacked(planes: list[SlicePlane], header: Any) -> list[SlicePlane]:
    distance = abs(float(header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 0))
    pointer = header.get("FrameIncrementPointer")
    in_time = pointer is not None and any(tag in _OF_TIME for tag in np.atleast_1d(np.asarray(pointer, dtype=object)))
    if in_time or not 0 < distance < np.inf:
        why = "follow each other in time" if in_time else "are at no known distance"
        raise InputError(
            f"{len(planes)} frames at one place that {why}",
            where=_name(header),
            expected="a position for each frame, or SpacingBetweenSlices or SliceThickness",
            remedy="Save the frame you need as a file of its own, or the volume as NIfTI.",
        )
    row, column = np.split(np.asarray(planes[0].orientation), 2)
    step = distance * np.cross(row, column)
    return [
        dataclasses.replace(plane, position=tuple(float(value) for value in plane.position + index * step))
        for index, plane in enumerate(planes)
    ]


def _plane(frame: Any, header: Any) -> SlicePlane | None:
    position, orientation = frame.get("ImagePositionPatient"), frame.get("ImageOrientationPatient")
    if not position or not orientation:
        return None
    spacing = frame.get("PixelSpacing")
    if not spacing:
        raise InputError(
            "a position in space and no PixelSpacing: how large a pixel is stays unknown",
            where=_name(header),
            expected="PixelSpacing in mm",
            remedy="Export the series again with it, or convert it to NIfTI with the right voxel size.",
        )
    thickness = frame.get("SpacingBetweenSlices") or frame.get("SliceThickness") or 1.0
    vectors = (("position", position, 3), ("orientation", orientation, 6), ("spacing", spacing, 2))
    for name, values, length in vectors:
        if not _are_numbers(values, length):
            raise InputError(
                f"a {name} of a slice that is none",
                where=_name(header),
                expected=f"{length} finite numbers",
                remedy="Export the file again; its header is damaged.",
            )
    return SlicePlane(
        tuple(float(value) for value in position),
        tuple(float(value) for value in orientation),
        tuple(float(value) for value in spacing),
        abs(float(thickness)),
        (int(frame.Rows), int(frame.Columns)),
    )


def _are_numbers(values: Any, length: int) -> bool:
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or len(values) != length:
        return False
    try:
        return bool(np.isfinite(list(map(float, values))).all())
    except (TypeError, ValueError):
        return False


def _name(header: Any) -> str:
    return str(getattr(header, "filename", "") or "DICOM header")
