# SPDX-License-Identifier: Apache-2.0
"""NIfTI files, behind checks of what the header says.

MONAI's reader is not used: it puts pixdim in place of a valid sform, and so loses axes, spacing and origin.
"""

import contextlib
import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from ..errors import InputError, brief
from .declared_size import is_suspicious, needed_bytes
from .file_types import has_suffix
from .image_array import ImageArray
from .nifti_geometry import has_orientation, nifti_affine

_CHUNK, _HUGE = 2**20, 2**30


def read_nifti(path: str) -> ImageArray:
    """Read one NIfTI file.

    Args:
        path: the file.

    Returns:
        Array ``(x, y)``, ``(x, y, z)`` or, with channels, ``(x, y, z, C)``, and its affine.

    Raises:
        InputError: if it is no image or volume, or its header does not fit its contents.
    """
    image = _opened(path)
    _require_image(image, path)
    _require_complete(image, path)
    affine = nifti_affine(image, path)
    array = np.asarray(image.dataobj)
    if array.ndim == 5:  # (x, y, z, time, vector): the intent of NIfTI vector images
        array = array[:, :, :, 0]
    colors = array.dtype.names  # RGB24 or RGBA32: one record a voxel
    if colors:
        array = np.stack([array[color] for color in colors], axis=-1)
    return ImageArray(array, path, array.ndim == 4 or bool(colors), affine, oriented=has_orientation(image))


def _opened(path: str) -> Any:
    try:
        return nibabel.load(path)
    except Exception as error:  # nibabel raises many kinds for a header that it cannot read
        raise InputError(
            f"no readable NIfTI header found ({brief(error)})",
            where=path,
            expected=f"a NIfTI file, {'' if has_suffix(path, ('.gz',)) else 'not '}compressed with gzip",
            remedy="Export it again; it is damaged, or another kind of file.",
        ) from error


def _require_image(image: Any, path: str) -> None:
    shape = tuple(int(size) for size in image.shape)
    is_vector_image = len(shape) == 5 and shape[3] == 1
    if (2 <= len(shape) <= 4 or is_vector_image) and min(shape) > 0:
        return
    raise InputError(
        f"{len(shape)}D array of shape {shape} found",
        where=path,
        expected="(x, y), (x, y, z) or (x, y, z, channel)",
        remedy="Save one image per file.",
    )


def _require_complete(image: Any, path: str) -> None:
    """Check that the values which the header announces are there, before memory for them is reserved."""
    bits = 8 * int(image.dataobj.dtype.itemsize)
    needed = int(image.dataobj.offset) + needed_bytes(image.shape, bits)
    if not has_suffix(path, (".gz",)):
        found = Path(path).stat().st_size
    elif needed > _HUGE or is_suspicious(path, needed):
        found = _unpacked_size(path, needed)
    else:  # small enough to find out while it is read
        return
    if found < needed:
        raise InputError(
            f"its header announces an array of shape {tuple(map(int, image.shape))}, {needed} bytes, but there are "
            f"{found}",
            where=path,
            expected="all values",
            remedy="Copy or export it again; it is incomplete or damaged.",
        )


def _unpacked_size(path: str, enough: int) -> int:
    """Count the bytes in a gzip file, up to a limit, in little memory; a damaged file ends where the damage is."""
    count = 0
    with gzip.open(path) as file, contextlib.suppress(OSError, EOFError, zlib.error):
        while count < enough and (chunk := file.read(_CHUNK)):
            count += len(chunk)
    return count
