# SPDX-License-Identifier: Apache-2.0
"""File types: suffixes and magic bytes, stems, and names that mark annotations."""

import gzip
import zlib
from pathlib import Path

from .paths import is_file

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".gif")
NIFTI_SUFFIXES = (".nii.gz", ".nii")
NIFTI_PAIR_SUFFIXES = (".img", ".hdr")
META_IMAGE_SUFFIXES = (".mha", ".mhd")
NRRD_SUFFIXES = (".nrrd", ".nhdr")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
SUPPORTED_FORMATS = (
    "NIfTI, MetaImage, NRRD, DICOM, PNG, JPEG, TIFF, BMP, WebP, JPEG 2000 (.jp2), GIF or a MedMNIST .npz"
)
UNREAD_SUFFIXES = (
    *(
        ".nii.bz2",
        ".nii.xz",
        ".nii.zip",
        ".nii.zst",
        ".img.gz",
        ".hdr.gz",
        ".mha.gz",
        ".nrrd.gz",
        ".dcm.gz",
        ".gipl",
        ".gipl.gz",
    ),
    *(".mgz", ".mgh", ".mnc", ".vtk", ".vti", ".par", ".rec", ".raw", ".zraw", ".npy", ".npz", ".mat", ".h5", ".hdf5"),
    *(".j2k", ".jpx", ".jxl", ".jls", ".avif", ".heic", ".heif", ".pgm", ".ppm", ".pbm", ".pnm", ".tga", ".exr"),
    *(".dib", ".eps", ".fits", ".ico", ".pcx"),
    *(".svs", ".ndpi", ".mrxs", ".scn", ".czi", ".lif", ".vsi"),
    *(".zip", ".bz2", ".tar", ".tgz", ".tar.gz", ".7z", ".rar"),
)
"""What holds images, or may hold them, and is not read; a folder with such files says so."""
_STARTS = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF87a", b"GIF89a"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\x93NUMPY", b"\x89HDF\r\n", b"NRRD000", b"ObjectType = "),
)
_NIFTI_STARTS = ((344, (b"n+1\0", b"ni1\0")), (4, (b"n+2\0", b"ni2\0")))
_GZIP_START = b"\x1f\x8b"
_HEAD = 352

_SUFFIXES = (
    *NIFTI_SUFFIXES,
    *NIFTI_PAIR_SUFFIXES,
    *META_IMAGE_SUFFIXES,
    *NRRD_SUFFIXES,
    *RASTER_SUFFIXES,
    *DICOM_SUFFIXES,
)
_ANNOTATION_ENDINGS = ("_mask", "_seg")
_DICOM_MAGIC_OFFSET = 128
_DICOM_MAGIC = b"DICM"


def has_suffix(path: str | Path, suffixes: tuple[str, ...]) -> bool:
    """Say whether the file name ends in one of ``suffixes``, whatever the case of its letters."""
    return str(path).lower().endswith(suffixes)


def is_nifti(path: str | Path) -> bool:
    """Say whether the name is that of a NIfTI file, alone or of a pair."""
    return has_suffix(path, (*NIFTI_SUFFIXES, *NIFTI_PAIR_SUFFIXES))


def has_geometry(path: str | Path) -> bool:
    """Say whether the name is that of a format, other than DICOM, that says where its voxels lie."""
    return is_nifti(path) or has_suffix(path, (*META_IMAGE_SUFFIXES, *NRRD_SUFFIXES))


def is_raster(path: str | Path) -> bool:
    """Say whether the name is that of a picture: PNG, JPEG, TIFF, BMP, WebP, JPEG 2000 or GIF."""
    return has_suffix(path, RASTER_SUFFIXES)


def is_image_file(path: str | Path) -> bool:
    """Say whether the name is that of an image in any format but DICOM, whose files may have any name."""
    return has_geometry(path) or is_raster(path)


def is_dicom(path: str | Path) -> bool:
    """Say whether a file is DICOM, by its suffix or, for any other unknown suffix, by its magic bytes."""
    if has_suffix(path, DICOM_SUFFIXES):
        return True
    if is_image_file(path) or not is_file(path):
        return False
    try:
        with Path(path).open("rb") as file:
            file.seek(_DICOM_MAGIC_OFFSET)
            return file.read(len(_DICOM_MAGIC)) == _DICOM_MAGIC
    except OSError:
        return False


def holds_unread_image(path: str | Path) -> bool:
    """Say whether a file begins like an image, and has a name by which none of the readers is chosen."""
    if is_image_file(path) or not is_file(path):
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_GZIP_START):
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return False
    return head.startswith(_STARTS) or any(head[place:].startswith(magic) for place, magic in _NIFTI_STARTS)


def stem_of(path: str | Path) -> str:
    """Return the name without folder and image suffix: ``"scans/a.b.nii.gz"`` gives ``"a.b"``."""
    name = Path(path).name
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def is_annotation(path: str | Path) -> bool:
    """Say whether the name ends in ``_mask`` or ``_seg``; such a file is never an input."""
    return stem_of(path).lower().endswith(_ANNOTATION_ENDINGS)
