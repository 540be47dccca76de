# SPDX-License-Identifier: Apache-2.0
"""DICOM series: a file stands for its series, the siblings with the same SeriesInstanceUID."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai.utils import optional_import

from ..errors import InputError
from .dicom_fault import fault_of, name_of_uid
from .dicom_frames import FRAME_TAGS, frame_headers
from .dicom_silence import silent_headers
from .dicom_split_series import join_slices
from .file_types import is_dicom
from .paths import is_folder, require_openable

pydicom, _ = optional_import("pydicom")
logger = logging.getLogger(__name__)

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
PARAMETRIC_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.30"
_DERIVED = {SEGMENTATION_STORAGE: "segmentation (SEG)", PARAMETRIC_MAP_STORAGE: "parametric map"}

_ALONE = "#"
_GROUPING_TAGS = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "NumberOfFrames",
    "Rows",
    *FRAME_TAGS,
)


def read_header(path: str | Path, tags: tuple[str, ...] | None = None) -> Any:
    """Read a DICOM header without pixels; a file without preamble is read, too.

    Args:
        path: the file.
        tags: keywords to read, or ``None`` for all of them.

    Returns:
        A ``pydicom.Dataset``.
    """
    with silent_headers():
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
    return {key: list(files) for key, files in _grouped(str(path), path.stat().st_mtime_ns)[0]}


def damaged_in_folder(folder: str | Path) -> list[str]:
    """List the files of a folder that should be DICOM images, by their name or first bytes, and cannot be read.

    Objects that are no images (segmentations, reports) are none of them.
    """
    path = Path(folder)
    return list(_grouped(str(path), path.stat().st_mtime_ns)[1])


@silent_headers()
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
    require_openable(path)
    if path.is_dir():
        return _only_series(path)
    _series_key(path)  # whether it is an image at all
    series = series_in_folder(path.parent).values()
    return next((files for files in series if str(path) in files), [str(path)])


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
        # the UIDs that tell them apart identify a patient and are not quoted
        names = "; ".join(f"{len(files)} files, first {Path(files[0]).name}" for files in series.values())
        raise InputError(
            f"{len(series)} DICOM series in one folder: {names}",
            where=folder,
            expected="one series per image",
            remedy="Name one file of the series you need, or give the folder as dataset_dir: one case per series.",
        )
    return next(iter(series.values()))


class _OtherObjectError(InputError):
    """A DICOM file that is intact and no image."""


def _series_key(path: Path) -> str:
    """Tell which series an image belongs to; an image that stands alone is a series of its own."""
    try:
        header = read_header(path, _GROUPING_TAGS)
        kind = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
        uid, rows, frames = (header.get(name) for name in ("SeriesInstanceUID", "Rows", "NumberOfFrames"))
        alone = not uid or int(frames or 1) != 1 or not _is_placed(header)
        kind = pydicom.uid.UID(str(kind or "unknown kind"), validation_mode=pydicom.config.IGNORE)
    except Exception as error:  # pydicom raises many kinds for a damaged file
        raise _damaged(path, f"no readable DICOM header found ({fault_of(error)})") from error
    is_known = kind.name != kind or (kind.is_valid and kind.is_private)
    if kind in _DERIVED or (not rows and is_known and "Image Storage" not in kind.name):
        raise _OtherObjectError(
            f"a DICOM {_DERIVED[kind]} found" if rows else f"no image in this DICOM file ({name_of_uid(kind)})",
            where=path,
            expected="a DICOM image",
            remedy="Give the image series instead.",
        )
    if not rows:
        raise _damaged(path, f"no image in this DICOM file ({name_of_uid(kind)})")
    return f"{uid or ''}{_ALONE}{path.name}" if alone else str(uid)


def _is_placed(header: Any) -> bool:
    frame = frame_headers(header)[0]
    return None not in (frame.get("ImagePositionPatient"), frame.get("ImageOrientationPatient"))


def _damaged(path: Path, what: str) -> InputError:
    remedy = "Copy or export it again; it is incomplete, damaged or another kind of file."
    return InputError(what, where=path, expected="a DICOM image", remedy=remedy)


@lru_cache(maxsize=64)
@silent_headers()
def _grouped(folder: str, modified: int) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """Group the DICOM files of a folder: the series in it, and the damaged files."""
    del modified  # part of the cache key only
    groups: dict[str, list[str]] = {}
    damaged: list[str] = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(".") or is_folder(path) or not is_dicom(path):
            continue
        try:
            require_openable(path)
            key = _series_key(path)
        except _OtherObjectError as error:
            logger.info("left out: %s", error)
            continue
        except InputError as error:
            logger.warning("left out of the series: %s", error)
            damaged.append(str(path))
            continue
        groups.setdefault(key, []).append(str(path))
    for volume in join_slices([files[0] for key, files in groups.items() if len(files) == 1 and _ALONE not in key]):
        groups = {key: volume if files[0] == volume[0] else files for key, files in groups.items()}
        groups = {key: files for key, files in groups.items() if files is volume or files[0] not in volume}
    return tuple((key, tuple(files)) for key, files in groups.items()), tuple(damaged)
