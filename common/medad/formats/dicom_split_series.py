# SPDX-License-Identifier: Apache-2.0
"""Split DICOM series: slices that got a SeriesInstanceUID each, as some exports give them, are one volume again."""

import logging
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from monai.utils import optional_import

from ..errors import InputError
from .dicom_frames import FRAME_TAGS
from .dicom_geometry import order_and_affine
from .dicom_planes import SlicePlane, plane_of
from .dicom_silence import silent_headers

pydicom, _ = optional_import("pydicom")
_logger = logging.getLogger(__name__)

_COMMON = ("StudyInstanceUID", "FrameOfReferenceUID", "Modality")
_LEAST = 3
_DIGITS = 3


def join_slices(files: Sequence[str]) -> list[list[str]]:
    """Find volumes among slices that are the only ones of their series.

    Slices are one volume if they belong to one study, frame of reference and modality, have one size, spacing and
    orientation, and lie evenly behind each other.

    Args:
        files: DICOM files with one frame and a position in space.

    Returns:
        The files of each volume; slices of none are left out. A warning tells of both.
    """
    stacks: dict[Hashable, list[tuple[str, SlicePlane]]] = defaultdict(list)
    for file in files:
        placed = _placed(file)
        if placed is not None:
            grid, plane = placed
            stacks[grid].append((file, plane))
    volumes = []
    for stack in stacks.values():
        if len(stack) < _LEAST:
            continue
        first = stack[0][0]
        try:
            order_and_affine([plane for _, plane in stack], first)
        except InputError as error:
            _logger.warning(
                "%s and %d more slices, each a series of its own, stay alone: %s", first, len(stack) - 1, error.what
            )
            continue
        _logger.warning(
            "%s and %d more slices, each a series of its own, are taken as one volume", first, len(stack) - 1
        )
        volumes.append([file for file, _ in stack])
    return volumes


def _placed(file: str) -> tuple[Hashable, SlicePlane] | None:
    """Give grid and plane of a slice, where its header says them."""
    try:
        with silent_headers():
            header = pydicom.dcmread(
                file, stop_before_pixels=True, force=True, specific_tags=[*_COMMON, *FRAME_TAGS, "Rows", "Columns"]
            )
        plane = plane_of(header)
        return None if plane is None or not header.get("FrameOfReferenceUID") else (_grid(header, plane), plane)
    except Exception:  # pydicom raises many kinds for a damaged file; reading the slice says what is wrong
        return None


def _grid(header: Any, plane: SlicePlane) -> Hashable:
    lengths = (round(value, _DIGITS) for value in (*plane.orientation, *plane.spacing))
    return (*(str(header.get(name)) for name in _COMMON), plane.size, *lengths)
