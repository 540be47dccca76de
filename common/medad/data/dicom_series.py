# SPDX-License-Identifier: Apache-2.0
"""Which DICOM files belong together: a file stands for its series, the siblings with the same SeriesInstanceUID."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai.utils import optional_import

from ..errors import InputError
from .formats import is_dicom

pydicom, _ = optional_import("pydicom")
logger = logging.getLogger(__name__)

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"

_GROUPING_TAGS = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "NumberOfFrames",
    "Rows",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)


def read_header(path: str | Path, tags: tuple[str, ...] | None = None) -> Any:
    """Read a DICOM header without pixels; a file without preamble is read, too.

    Args:
        path: the file.
        tags: keywords to read, or ``None`` for all of them.

    Returns:
        A ``pydicom.Dataset``.
    """
    return pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(tags) if tags else None)


def series_in_folder(folder: str | Path) -> dict[str, list[str]]:
    """Group the DICOM images that lie directly in a folder into series.

    Images without a position in space (radiographs, mammograms) and files with several frames stand alone, even if they
    share a SeriesInstanceUID. Objects that are no images (segmentations, reports) and unreadable files are left out.

    Args:
        folder: the folder; its subfolders are not searched.

    Returns:
        Series key to file paths; files sorted by name, series by their first file.
    """
    path = Path(folder)
    return {key: list(files) for key, files in _grouped(str(path), path.stat().st_mtime_ns)}


def series_files(path: str | Path) -> list[str]:
    """List the files that a DICOM file or folder stands for, sorted by name.

    Args:
        path: a DICOM file, or a folder that holds one series.

    Returns:
        Paths of the slices, or one path for an image that stands alone.

    Raises:
        InputError: if the file is no image, or the folder holds no or several series.
    """
    path = Path(path)
    if path.is_dir():
        return _only_series(path)
    header = read_header(path, _GROUPING_TAGS)
    _require_image(path, header)
    key = _series_key(path, header)
    return series_in_folder(path.parent).get(key, [str(path)])


def _only_series(folder: Path) -> list[str]:
    series = series_in_folder(folder)
    if not series:
        raise InputError(
            "no DICOM image in the folder",
            where=folder,
            expected="the slices of one DICOM series",
            remedy="Give a folder with one series, or a file.",
        )
    if len(series) > 1:
        names = "; ".join(
            f"{key.split('#')[0]} ({len(files)} files, first {Path(files[0]).name})" for key, files in series.items()
        )
        raise InputError(
            f"{len(series)} DICOM series in one folder: {names}",
            where=folder,
            expected="one series per image",
            remedy="Name one file of the series you need, or give the folder as dataset_dir: one case per series.",
        )
    return next(iter(series.values()))


def _require_image(path: Path, header: Any) -> None:
    if header.get("SOPClassUID") == SEGMENTATION_STORAGE:
        found = "a DICOM segmentation (SEG) found"
    elif "Rows" not in header:
        kind = header.get("SOPClassUID")
        found = f"no image in this DICOM file ({kind.name if kind else 'unknown kind'})"
    else:
        return
    raise InputError(found, where=path, expected="a DICOM image", remedy="Give the image series instead.")


def _series_key(path: Path, header: Any) -> str:
    uid = str(header.get("SeriesInstanceUID", ""))
    positioned = header.get("ImagePositionPatient") is not None and header.get("ImageOrientationPatient") is not None
    if uid and positioned and int(header.get("NumberOfFrames") or 1) == 1:
        return uid
    return f"{uid}#{path.name}"


@lru_cache(maxsize=64)
def _grouped(folder: str, modified: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    del modified  # part of the cache key only
    groups: dict[str, list[str]] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(".") or not path.is_file() or not is_dicom(path):
            continue
        try:
            header = read_header(path, _GROUPING_TAGS)
            _require_image(path, header)
        except InputError as error:
            logger.info("left out: %s", error)
            continue
        except Exception as error:  # pydicom raises many kinds for a damaged file
            logger.warning("left out: %s cannot be read as DICOM (%s)", path, error)
            continue
        groups.setdefault(_series_key(path, header), []).append(str(path))
    return tuple((key, tuple(files)) for key, files in groups.items())
