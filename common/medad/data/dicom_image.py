# SPDX-License-Identifier: Apache-2.0
"""A DICOM series as an image: pixels decoded and rescaled by ITK (GDCM), geometry from the slice positions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dicom_geometry import SlicePlane, frame_rescales, order_and_affine, plane_of, planes_of_frames
from .dicom_series import read_header, series_files
from .loaded_image import LoadedImage

logger = logging.getLogger(__name__)


def read_dicom(path: str) -> LoadedImage:
    """Read the series that a DICOM file or folder stands for.

    Args:
        path: a DICOM file, or a folder that holds one series.

    Returns:
        A volume ``(x, y, z)`` of rescaled values; a series of one single-frame file gives a 2D image ``(x, y)``. Color
        comes as a last axis.

    Raises:
        InputError: if it is no image, a mixed or incomplete series, or compressed in a way that GDCM does not know.
    """
    files = series_files(path)
    headers = [read_header(file) for file in files]
    header = headers[0]
    if str(header.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1":
        logger.warning("%s: MONOCHROME1, so low values are bright; values are used as they are stored", path)
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        array, affine = _read_frames(path, files[0], header)
    else:
        array, affine = _read_slices(path, files, headers)
    has_channels = int(header.get("SamplesPerPixel") or 1) > 1
    flat = len(files) == 1 and frames == 1
    array = array[0] if flat else array
    spatial = array.ndim - int(has_channels)
    order = (*reversed(range(spatial)), *range(spatial, array.ndim))
    series = f"{header.get('SeriesInstanceUID', '')}" if len(files) > 1 else files[0]
    return LoadedImage(np.ascontiguousarray(array.transpose(order)), path, has_channels, affine, series)


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


def _read_slices(path: str, files: list[str], headers: list[Any]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    if len(files) > 1:
        order, affine = order_and_affine(_positioned_planes(files, headers), path)
        return _decode([files[index] for index in order], headers[0]), affine
    header = headers[0]
    plane = plane_of(header)
    if plane is None:
        spacing = header.get("PixelSpacing") or header.get("ImagerPixelSpacing") or (1.0, 1.0)
        size = (int(header.Rows), int(header.Columns))
        plane = SlicePlane((0.0,) * 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), tuple(map(float, spacing)), 1.0, size)
    return _decode(files, header), order_and_affine([plane], path)[1]


def _positioned_planes(files: list[str], headers: list[Any]) -> list[SlicePlane]:
    planes = [plane for header in headers if (plane := plane_of(header)) is not None]
    if len(planes) != len(files):
        raise ValueError("slices of a series have lost their positions while they were read")
    return planes


def _read_frames(path: str, file: str, header: Any) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rescales = frame_rescales(header)
    if len(rescales) > 1:
        raise InputError(
            f"{len(rescales)} different rescale slopes or intercepts in one multi-frame file",
            where=path,
            expected="one rescale slope and intercept for all frames",
            remedy="Convert the file to a classic single-frame series or to NIfTI.",
        )
    array = _decode([file], header)
    planes = planes_of_frames(header)
    if planes is None:
        logger.warning("%s: its frames have no positions, so they are stacked 1 mm apart", path)
        plane = SlicePlane((0.0,) * 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0), 1.0, (1, 1))
        return array, order_and_affine([plane], path)[1]
    if len(planes) != len(array):
        raise InputError(
            f"{len(array)} frames but {len(planes)} positions",
            where=path,
            expected="one position per frame",
            remedy="Export the file again; it is damaged.",
        )
    order, affine = order_and_affine(planes, path)
    return array[order], affine


def _decode(files: list[str], header: Any) -> NDArray[np.float32]:
    """Decode to ``(slice, row, column[, channel])`` in the order of ``files``."""
    import itk

    samples = int(header.get("SamplesPerPixel") or 1)
    pixel = itk.F if samples == 1 else itk.Vector[itk.F, samples]
    display = itk.Object.GetGlobalWarningDisplay()
    itk.Object.SetGlobalWarningDisplay(False)  # GDCM's remarks on geometry: it is not used
    try:
        image = itk.imread(files if len(files) > 1 else files[0], pixel_type=pixel)
        array = np.array(itk.array_view_from_image(image), dtype=np.float32)
    except Exception as error:  # ITK raises RuntimeError and, where it finds no reader, its own kinds
        raise InputError(
            f"the pixels cannot be decoded (transfer syntax {_transfer_syntax(header)})",
            where=files[0],
            expected="complete pixel data in a transfer syntax that GDCM supports (uncompressed, RLE, JPEG, JPEG-LS, "
            "JPEG 2000)",
            remedy="Decompress the file with a DICOM tool, or export it again.",
        ) from error
    finally:
        itk.Object.SetGlobalWarningDisplay(display)
    rows, columns = int(header.Rows), int(header.Columns)
    array = array.reshape(-1, rows, columns, samples) if samples > 1 else array.reshape(-1, rows, columns)
    return array


def _transfer_syntax(header: Any) -> str:
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    return syntax.name if syntax is not None else "unknown"
