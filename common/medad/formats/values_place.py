# SPDX-License-Identifier: Apache-2.0
"""Place of the values of an image: its file, or one beside it that its header names."""

from dataclasses import dataclass
from pathlib import Path

from .file_types import META_IMAGE_SUFFIXES, NIFTI_PAIR_SUFFIXES, NRRD_SUFFIXES, has_suffix
from .itk_header import header_of
from .nifti_pair import files_of_pair


@dataclass(frozen=True)
class ValuesPlace:
    """Where values lie.

    Attributes:
        file: holds them.
        begin: bytes and lines before them that the header says are to be skipped: several images may share a file.
    """

    file: str
    begin: tuple[str, str] = ("0", "0")


def place_of_values(path: str) -> ValuesPlace:
    """Find the values of an image: those of a MetaImage, NRRD or NIfTI file may lie in a file of their own.

    Args:
        path: any file.

    Returns:
        The file itself, unless its header can be read and names another.
    """
    if has_suffix(path, NIFTI_PAIR_SUFFIXES):
        return ValuesPlace(str(files_of_pair(path)[1]))
    header = header_of(Path(path)) if has_suffix(path, (*META_IMAGE_SUFFIXES, *NRRD_SUFFIXES)) else None
    if header is None or header.data == Path(path):
        return ValuesPlace(path)
    return ValuesPlace(str(header.data), header.begin)
