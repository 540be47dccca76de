# SPDX-License-Identifier: Apache-2.0
"""Reference to one image of a MedMNIST archive, written as ``<path>.npz#<array>[<index>]``."""

import hashlib
import math
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .image_array import ImageArray

_REFERENCE = re.compile(r"(?P<path>.+\.npz)#(?P<name>\w+)\[(?P<index>\d+)\]", re.IGNORECASE)
_COLORS = 3


def npz_reference(path: str | Path, name: str, index: int) -> str:
    """Write the reference to image ``index`` of the array ``name``."""
    return f"{path}#{name}[{index}]"


def is_npz_reference(text: str) -> bool:
    """Say whether ``text`` refers to an image inside an ``.npz`` archive."""
    return _REFERENCE.fullmatch(text) is not None


def npz_archive(reference: str) -> str:
    """Return the archive that a reference points into, or the text itself if it is no reference."""
    match = _REFERENCE.fullmatch(reference)
    return match["path"] if match else reference


def is_npz_volume(reference: str) -> bool:
    """Say whether a reference points to a volume; a damaged archive has none."""
    match = _match(reference)
    try:
        images = _images(match["path"], Path(match["path"]).stat().st_mtime_ns, match["name"])
    except Exception:  # reading the image says what is wrong
        return False
    return images.ndim == 4 and images.shape[-1] != _COLORS


def read_npz_reference(reference: str) -> ImageArray:
    """Read one image of an archive; the archive's array stays in memory for the next one.

    Args:
        reference: ``<path>.npz#<array>[<index>]``; the array is ``(n, rows, columns)``, ``(n, rows, columns, 3)``
            or ``(n, slices, rows, columns)``.

    Returns:
        Array ``(x, y)``, ``(x, y, 3)`` with channels, or ``(x, y, z)``.

    Raises:
        InputError: if the archive, the array or the index does not exist.
    """
    match = _match(reference)
    path, name, index = match["path"], match["name"], int(match["index"])
    if not Path(path).is_file():
        raise InputError(
            "the archive does not exist", where=path, expected="an .npz file", remedy="Check the path in the data list."
        )
    images = _images(path, Path(path).stat().st_mtime_ns, name)
    if images.ndim not in (3, 4) or index >= len(images):
        raise InputError(
            f"array {name!r} of shape {images.shape} has no image {index}",
            where=path,
            expected="an index below the number of images",
            remedy="Check the reference in the data list.",
        )
    image = images[index]
    if image.ndim == 3 and image.shape[-1] == _COLORS:
        return ImageArray(np.ascontiguousarray(image.transpose(1, 0, 2)), reference, has_channels=True)
    return ImageArray(np.ascontiguousarray(image.T), reference)


def npz_digest(reference: str) -> bytes | None:
    """Hash the values of one image of an archive; ``None`` if they cannot be read.

    The images of an array are hashed together, one after the other, so that no array need fit into memory.
    """
    match = _match(reference)
    path, index = Path(match["path"]), int(match["index"])
    digests = _digests(path, path.stat().st_mtime_ns, match["name"]) if path.is_file() else []
    return digests[index] if index < len(digests) else None


@lru_cache(maxsize=16)
def _digests(path: Path, modified: int, name: str) -> list[bytes]:
    del modified  # part of the cache key only
    try:
        return _read_digests(path, name)
    except Exception:  # reading the images says what is wrong
        return []


def _read_digests(path: Path, name: str) -> list[bytes]:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        (count, *shape), in_columns, dtype = _header(file)
        if in_columns or dtype.hasobject:
            raise ValueError("images do not lie one behind the other")
        size = math.prod(shape) * dtype.itemsize
        if not 0 < count * size <= archive.getinfo(f"{name}.npy").file_size:
            raise ValueError("not all images are there")
        return [hashlib.sha256(file.read(size)).digest() for _ in range(count)]


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    form = np.lib.format
    read = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}[form.read_magic(file)]
    shape, in_columns, dtype = read(file)
    return shape, in_columns, dtype


def _match(reference: str) -> re.Match[str]:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError(f"{reference!r} is not of the form <path>.npz#<array>[<index>]")
    return match


@lru_cache(maxsize=3)
def _images(path: str, modified: int, name: str) -> NDArray[np.generic]:
    del modified  # part of the cache key only
    with np.load(path, allow_pickle=False) as archive:
        if name not in archive:
            raise InputError(
                f"no array {name!r} in it",
                where=path,
                expected=f"one of {', '.join(sorted(archive))}",
                remedy="Check the reference in the data list.",
            )
        return np.asarray(archive[name])
