# SPDX-License-Identifier: Apache-2.0
"""NIfTI as a pair of files, ``.hdr`` and ``.img``; Analyze files of the same names do not say how they lie."""

from pathlib import Path

from ..errors import InputError
from .image_array import ImageArray
from .nifti import read_nifti
from .paths import require_openable

_MAGIC_AT, _MAGIC = 344, b"ni1\0"


def read_nifti_pair(path: str) -> ImageArray:
    """Read the image that either file of a pair stands for.

    Args:
        path: ``.img`` or ``.hdr``.

    Returns:
        As :func:`.read_nifti`.

    Raises:
        InputError: as there; or if one of the files is missing, or it is no NIfTI.
    """
    header, image = files_of_pair(path)
    for file in (header, image):
        require_openable(file)
    with header.open("rb") as opened:
        opened.seek(_MAGIC_AT)
        magic = opened.read(len(_MAGIC))
    if magic != _MAGIC:
        raise InputError(
            "no NIfTI header found",
            where=header,
            expected="a pair of NIfTI files; Analyze files do not say where left and right, front and back are",
            remedy="Convert it to NIfTI (.nii.gz) with a program that knows how it was acquired.",
        )
    return read_nifti(str(image))


def has_pair_image(path: Path) -> bool:
    """Say whether a header lies beside the file that it belongs to."""
    return files_of_pair(path)[1].is_file()


def files_of_pair(path: str | Path) -> tuple[Path, Path]:
    """Give header and image of the pair to which a file belongs, whether they are there or not."""
    path = Path(path)
    suffixes = (".HDR", ".IMG") if path.suffix.isupper() else (".hdr", ".img")
    return path.with_suffix(suffixes[0]), path.with_suffix(suffixes[1])
