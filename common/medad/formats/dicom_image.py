# SPDX-License-Identifier: Apache-2.0
"""DICOM series as images."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_acquisitions import require_one_acquisition
from .dicom_geometry import order_and_affine
from .dicom_pixels import decode_pixels, require_pixels
from .dicom_planes import SlicePlane, plane_of, planes_of_frames
from .dicom_series import read_header, series_files
from .dicom_silence import silent_headers
from .image_array import ImageArray

logger = logging.getLogger(__name__)

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@silent_headers()
def read_dicom(path: str, display: bool = False) -> ImageArray:
    """Read the series that a DICOM file or folder stands for.

    Args:
        path: a DICOM file, or a folder that holds one series.
        display: whether values are those that a viewer shows: window, lookup table and MONOCHROME1 applied.

    Returns:
        A volume ``(x, y, z)`` of rescaled values; a series of one single-frame file gives a 2D image ``(x, y)``. Color
        comes as a last axis.

    Raises:
        InputError: if it is no image, a mixed or incomplete series, or its pixels cannot be decoded.
    """
    files = series_files(path)
    headers = [read_header(file) for file in files]
    for file, each in zip(files, headers, strict=True):
        require_pixels(file, each)
    header = headers[0]
    if not display and str(header.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1":
        logger.warning("%s: MONOCHROME1, so low values are bright; values are used as they are stored", path)
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        array, affine, oriented = _read_frames(path, files[0], header, display)
    else:
        array, affine, oriented = _read_slices(path, files, headers, display)
    has_channels = array.ndim == 4
    flat = len(files) == 1 and frames == 1
    array = array[0] if flat else array
    spatial = array.ndim - int(has_channels)
    order = (*reversed(range(spatial)), *range(spatial, array.ndim))
    series = f"{header.get('SeriesInstanceUID', '')}" if len(files) > 1 else files[0]
    return ImageArray(np.ascontiguousarray(array.transpose(order)), path, has_channels, affine, series, oriented)


@silent_headers()
def read_dicom_slices(files: Sequence[str], display: bool = False) -> NDArray[np.float32]:
    """Read the values of slices that another program has put in order.

    Args:
        files: DICOM files of one size, with one slice each.
        display: see :func:`read_dicom`.

    Returns:
        ``(slice, row, column)`` in the order of ``files``.

    Raises:
        InputError: as ``read_dicom``; whether slices are a volume is checked where they have positions.
    """
    headers = [read_header(file) for file in files]
    for file, header in zip(files, headers, strict=True):
        require_pixels(file, header)
    if len(files) > 1 and all(plane_of(header) for header in headers):
        _volume(list(files), headers, files[0])
    return decode_pixels(files, display)


@silent_headers()
def dicom_series_files(path: str | Path) -> list[str]:
    """List the files of the series that ``path`` stands for, in the order of the volume's slices.

    Args:
        path: a DICOM file, or a folder that holds one series.

    Returns:
        One path per slice, or one path for a multi-frame or single image.

    Raises:
        InputError: as ``read_dicom``.
    """
    files = series_files(path)
    if len(files) == 1:
        return files
    order, _ = order_and_affine(_positioned_planes(files, [read_header(file) for file in files]), str(path))
    return [files[index] for index in order]


def is_dicom_volume(path: str | Path) -> bool:
    """Say whether a DICOM file or folder stands for more than one slice."""
    files = series_files(path)
    return len(files) > 1 or int(read_header(files[0], ("NumberOfFrames",)).get("NumberOfFrames") or 1) > 1


def _read_slices(
    path: str, files: list[str], headers: list[Any], display: bool
) -> tuple[NDArray[np.float32], NDArray[np.float64], bool]:
    if len(files) > 1:
        order, affine = _volume(files, headers, path)
        return decode_pixels([files[index] for index in order], display), affine, True
    plane = plane_of(headers[0])
    affine = order_and_affine([plane or _anywhere(headers[0], path)], path)[1]
    return decode_pixels(files, display), affine, plane is not None


def _volume(files: list[str], headers: list[Any], path: str) -> tuple[list[int], NDArray[np.float64]]:
    order, affine = order_and_affine(_positioned_planes(files, headers), path)
    require_one_acquisition([headers[index] for index in order], float(np.linalg.norm(affine[:3, 2])), path)
    return order, affine


def _anywhere(header: Any, path: str) -> SlicePlane:
    """Make up a plane for an image without a position in space; its pixels may still have a size."""
    spacing = next((tuple(map(float, header.get(name))) for name in _SPACINGS if header.get(name)), None)
    if spacing is None:
        logger.warning("%s: how large its pixels are is not told; 1 mm is assumed", path)
    size = (int(header.Rows), int(header.Columns))
    return SlicePlane((0.0,) * 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), spacing or (1.0, 1.0), 1.0, size)


def _positioned_planes(files: list[str], headers: list[Any]) -> list[SlicePlane]:
    planes = [plane for header in headers if (plane := plane_of(header)) is not None]
    if len(planes) != len(files):
        raise ValueError("slices of a series have lost their positions while they were read")
    return planes


def _read_frames(
    path: str, file: str, header: Any, display: bool
) -> tuple[NDArray[np.float32], NDArray[np.float64], bool]:
    array = decode_pixels([file], display)
    planes = planes_of_frames(header)
    if planes is None:
        logger.warning("%s: its frames have no positions, so they are stacked 1 mm apart", path)
        return array, order_and_affine([_anywhere(header, path)], path)[1], False
    order, affine = order_and_affine(planes, path)
    return array[order], affine, True
