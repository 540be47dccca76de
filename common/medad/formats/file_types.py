# SPDX-License-Identifier: Apache-2.0
"""File types: suffixes and magic bytes, stems, and names that mark annotations."""

from pathlib import Path

from .paths import is_file

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
NIFTI_SUFFIXES = (".nii.gz", ".nii")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
SUPPORTED_FORMATS = "NIfTI (.nii, .nii.gz), PNG, JPEG, TIFF, BMP, DICOM or a MedMNIST .npz"

_ANNOTATION_ENDINGS = ("_mask", "_seg")
_DICOM_MAGIC_OFFSET = 128
_DICOM_MAGIC = b"DICM"


def has_suffix(path: str | Path, suffixes: tuple[str, ...]) -> bool:
    """Say whether the file name ends in one of ``suffixes``, whatever the case of its letters."""
    return str(path).lower().endswith(suffixes)


def is_nifti(path: str | Path) -> bool:
    """Say whether the name is that of a NIfTI file."""
    return has_suffix(path, NIFTI_SUFFIXES)


def is_raster(path: str | Path) -> bool:
    """Say whether the name is that of a PNG, JPEG, TIFF or BMP file."""
    return has_suffix(path, RASTER_SUFFIXES)


def is_dicom(path: str | Path) -> bool:
    """Say whether a file is DICOM, by its suffix or, for any other unknown suffix, by its magic bytes."""
    if has_suffix(path, DICOM_SUFFIXES):
        return True
    if is_nifti(path) or is_raster(path) or not is_file(path):
        return False
    try:
        with Path(path).open("rb") as file:
            file.seek(_DICOM_MAGIC_OFFSET)
            return file.read(len(_DICOM_MAGIC)) == _DICOM_MAGIC
    except OSError:
        return False


def stem_of(path: str | Path) -> str:
    """Return the name without folder and image suffix: ``"scans/a.b.nii.gz"`` gives ``"a.b"``."""
    name = Path(path).name
    for suffix in (*NIFTI_SUFFIXES, *RASTER_SUFFIXES, *DICOM_SUFFIXES):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def is_annotation(path: str | Path) -> bool:
    """Say whether the name ends in ``_mask`` or ``_seg``; such a file is never an input."""
    return stem_of(path).lower().endswith(_ANNOTATION_ENDINGS)
