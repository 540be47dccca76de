# SPDX-License-Identifier: Apache-2.0
"""Images in folders, sorted by path: files, DICOM series, and the masks that belong to them."""

import logging
from pathlib import Path

from ...errors import InputError
from ...formats.dicom_series import damaged_in_folder, series_in_folder
from ...formats.file_types import (
    UNREAD_SUFFIXES,
    has_suffix,
    holds_unread_image,
    is_annotation,
    is_dicom,
    is_image_file,
    stem_of,
)
from ...formats.itk_header import values_of
from ...formats.nifti_pair import has_pair_image
from ...formats.paths import is_folder, is_searchable

_logger = logging.getLogger(__name__)

_HIDDEN = (".", "__")


def entries(folder: Path) -> list[Path]:
    """List what lies in a folder, without hidden entries; nothing, if it may not be searched."""
    if not is_searchable(folder):
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(_HIDDEN))


def visible_folders(folder: Path) -> list[Path]:
    """List the subfolders of a folder, without hidden ones."""
    return [path for path in entries(folder) if is_folder(path)]


def all_folders(folder: Path) -> list[Path]:
    """List a folder and all folders below it, without hidden ones; each once, wherever links lead."""
    found: dict[tuple[int, int], Path] = {}
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        status = path.stat()
        if (status.st_dev, status.st_ino) not in found:
            found[status.st_dev, status.st_ino] = path
            waiting += reversed(visible_folders(path))
    return list(found.values())


def image_files(folder: Path) -> list[Path]:
    """List the files of a folder that are images, but for DICOM; names in ``_mask`` or ``_seg`` are left out.

    Only names count: what has the name of an image and is none (a broken link, a pipe, a folder without images) is
    listed, too, so that it fails in sight instead of being passed over.
    """
    named = [path for path in entries(folder) if is_image_file(path) and not _is_half(path)]
    return [path for path in named if not is_annotation(path) and not (is_folder(path) and holds_images(path))]


def unread_files(folder: Path) -> list[tuple[str, Path]]:
    """List the files of a folder that hold images, or may hold some, and are not read, with their suffix.

    Formats that are not read are known by their name, images of any format with another name by their first bytes. The
    values that belong to a header which is read are none of them.
    """
    files = entries(folder)
    values = {values_of(path) for path in files if has_suffix(path, (".mhd", ".nhdr"))}
    found = []
    for path in files:
        name = path.name.lower()
        suffix = next((suffix for suffix in UNREAD_SUFFIXES if name.endswith(suffix)), None)
        if suffix is None and holds_unread_image(path):
            suffix = path.suffix.lower() or "without suffix"
        if suffix is not None and path not in values:
            found.append((suffix, path))
    return found


def has_dicom(folder: Path) -> bool:
    """Say whether a DICOM file lies directly in a folder."""
    return any(not is_folder(path) and is_dicom(path) for path in entries(folder))


def dicom_images(folder: Path) -> list[Path]:
    """List the DICOM series that lie directly in a folder: the folder if there is one series, else a file of each.

    Damaged DICOM files (a series may lack them) and a folder that may not be searched are listed, too: they fail in
    sight.
    """
    if not is_searchable(folder):
        return [folder]  # nobody knows what is in it
    if not has_dicom(folder):
        return []
    series = series_in_folder(folder)
    damaged = [Path(file) for file in damaged_in_folder(folder)]
    if len(series) == 1:
        (files,) = series.values()
        return [Path(files[0]) if len(files) == 1 else folder, *damaged]
    return [*(Path(files[0]) for files in series.values() if not is_annotation(files[0])), *damaged]


def find_images(folder: Path, series_folders: bool = False) -> list[Path]:
    """List the images of a folder: files and DICOM series.

    Args:
        folder: searched flat.
        series_folders: whether direct subfolders that hold DICOM files count as images, too.

    Returns:
        Sorted paths; a DICOM series is named by its folder or by its first file.
    """
    found = [*image_files(folder), *dicom_images(folder)]
    if series_folders:
        found += [image for child in visible_folders(folder) for image in dicom_images(child)]
    return sorted(found)


def holds_images(folder: Path) -> bool:
    """Say whether an image lies directly in a folder."""
    return any(not is_folder(path) and (is_image_file(path) or is_dicom(path)) for path in entries(folder))


def _is_half(path: Path) -> bool:
    """Say whether a file is the header of a pair, for which its image stands."""
    return has_suffix(path, (".hdr",)) and has_pair_image(path)


class MaskFolder:
    """Masks by the stem of their image: ``<stem>``, ``<stem>_mask`` or ``<stem>_seg`` with any image suffix.

    Args:
        folder: holds the masks; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = entries(folder) if is_folder(folder) else []
        self._by_stem = {stem_of(path): path for path in paths if is_image_file(path) and not _is_half(path)}
        self._unused = set(self._by_stem)

    def find(self, image: Path) -> Path | None:
        """Return the mask of an image, or ``None``."""
        stem = stem_of(image)
        name = next((name for name in (stem, f"{stem}_mask", f"{stem}_seg") if name in self._by_stem), None)
        if name is None:
            return None
        self._unused.discard(name)
        return self._by_stem[name]

    def tell_unused(self) -> None:
        """Name the masks that :meth:`find` never gave.

        Raises:
            InputError: if none was given.
        """
        unused = sorted(self._by_stem[name].name for name in self._unused)
        if not unused:
            return
        shown = ", ".join(unused[:3])
        if len(unused) == len(self._by_stem):
            raise InputError(
                f"none of its {len(unused)} masks belongs to an image ({shown})",
                where=self.folder,
                expected="masks called like their images: a.png, a_mask.png or a_seg.png for a.png",
                remedy="Rename them, or take the folder away.",
            )
        _logger.warning("%s: %d masks belong to no image: %s", self.folder, len(unused), shown)
