# SPDX-License-Identifier: Apache-2.0
"""Find images in folders, sorted by path: files, DICOM series, and the masks that belong to them."""

from __future__ import annotations

from pathlib import Path

from ..dicom_series import series_in_folder
from ..formats import is_annotation, is_dicom, is_nifti, is_raster, stem_of

_HIDDEN = (".", "__")


def visible_folders(folder: Path) -> list[Path]:
    """List the subfolders of a folder, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(_HIDDEN))


def all_folders(folder: Path) -> list[Path]:
    """List a folder and all folders below it, without hidden ones."""
    return [folder, *(found for child in visible_folders(folder) for found in all_folders(child))]


def plain_images(folder: Path) -> list[Path]:
    """List the NIfTI, PNG, JPEG, TIFF and BMP files of a folder; names in ``_mask`` or ``_seg`` are left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if (is_nifti(path) or is_raster(path))
        and not is_annotation(path)
        and not path.name.startswith(_HIDDEN)
        and path.is_file()
    )


def has_dicom(folder: Path) -> bool:
    """Say whether a DICOM file lies directly in a folder."""
    return any(path.is_file() and not path.name.startswith(_HIDDEN) and is_dicom(path) for path in folder.iterdir())


def dicom_images(folder: Path) -> list[Path]:
    """List the DICOM series that lie directly in a folder: the folder if there is one series, else a file of each."""
    if not has_dicom(folder):
        return []
    series = series_in_folder(folder)
    if len(series) == 1:
        (files,) = series.values()
        return [Path(files[0])] if len(files) == 1 else [folder]
    return [Path(files[0]) for files in series.values() if not is_annotation(files[0])]


def find_images(folder: Path, series_folders: bool = False) -> list[Path]:
    """List the images of a folder: files and DICOM series.

    Args:
        folder: searched flat.
        series_folders: whether direct subfolders that hold DICOM files count as images, too.

    Returns:
        Sorted paths; a DICOM series is named by its folder or by its first file.
    """
    found = [*plain_images(folder), *dicom_images(folder)]
    if series_folders:
        found += [image for child in visible_folders(folder) for image in dicom_images(child)]
    return sorted(found)


class MaskFolder:
    """Masks by the stem of their image: ``<stem>``, ``<stem>_mask`` or ``<stem>_seg`` with any image suffix.

    Args:
        folder: holds the masks; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        self._by_stem = {stem_of(path): path for path in paths if is_nifti(path) or is_raster(path)}

    def find(self, image: Path) -> Path | None:
        """Return the mask of an image, or ``None``."""
        stem = stem_of(image)
        return next(
            (self._by_stem[name] for name in (stem, f"{stem}_mask", f"{stem}_seg") if name in self._by_stem), None
        )
