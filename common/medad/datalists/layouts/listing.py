# SPDX-License-Identifier: Apache-2.0
"""Images in folders, sorted by path: files, DICOM series, and the masks that belong to them."""

from pathlib import Path

from ...formats.dicom_series import damaged_in_folder, series_in_folder
from ...formats.file_types import is_annotation, is_dicom, is_nifti, is_raster, stem_of
from ...formats.paths import is_folder, is_searchable

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
    """List the NIfTI, PNG, JPEG, TIFF and BMP files of a folder; names in ``_mask`` or ``_seg`` are left out.

    Only names count: what has the name of an image and is none (a broken link, a pipe, a folder without images) is
    listed, too, so that it fails in sight instead of being passed over.
    """
    named = [path for path in entries(folder) if is_nifti(path) or is_raster(path)]
    return [path for path in named if not is_annotation(path) and not (is_folder(path) and _holds_images(path))]


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


def _holds_images(folder: Path) -> bool:
    return any(
        not is_folder(path) and (is_nifti(path) or is_raster(path) or is_dicom(path)) for path in entries(folder)
    )


class MaskFolder:
    """Masks by the stem of their image: ``<stem>``, ``<stem>_mask`` or ``<stem>_seg`` with any image suffix.

    Args:
        folder: holds the masks; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        paths = entries(folder) if is_folder(folder) else []
        self._by_stem = {stem_of(path): path for path in paths if is_nifti(path) or is_raster(path)}

    def find(self, image: Path) -> Path | None:
        """Return the mask of an image, or ``None``."""
        stem = stem_of(image)
        return next(
            (self._by_stem[name] for name in (stem, f"{stem}_mask", f"{stem}_seg") if name in self._by_stem), None
        )
