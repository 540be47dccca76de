# SPDX-License-Identifier: Apache-2.0
"""Declared size: an image that says it is larger than its file can be is refused before memory is reserved.

A damaged or hostile header of some bytes may announce terabytes, and a small file may really unpack to gigabytes.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError

# unpacked bytes, and how many of them at most one byte of the file may stand for
_LIMITS = (
    (2**20, 1400),  # deflate packs at most 1032 to 1, LZW 1390 to 1; less than a megabyte does no harm
    (2**27, 200),  # a larger image with contrast is never packed that tight; a mask may be, and is mostly smaller
)


def require_fitting_size(path: str | Path, shape: Sequence[int], bits: int, packed: bool) -> None:
    """Check the size that a header announces against the size of the file.

    Args:
        path: the file.
        shape: announced size along every axis, channels included.
        bits: announced bits per value.
        packed: whether the values are compressed.

    Raises:
        InputError: if uncompressed values do not fit into the file, or :func:`is_suspicious` for compressed ones.
    """
    needed, stored = needed_bytes(shape, bits), Path(path).stat().st_size
    if is_suspicious(path, needed) if packed else needed > stored:
        size = " x ".join(str(length) for length in shape if length != 1) or "1"
        raise InputError(
            f"its header announces {size} values, {_rounded(needed)}, but the file has {_rounded(stored)}",
            where=path,
            expected="a header that fits the contents",
            remedy="Copy or export it again; it is incomplete or damaged."
            + (" If it is intact, save it without compression." if packed else ""),
        )


def is_suspicious(path: str | Path, needed: int) -> bool:
    """Say whether a compressed file can hardly hold so many bytes: a lying header or a decompression bomb."""
    stored = Path(path).stat().st_size
    return any(needed > max(size, packing * stored) for size, packing in _LIMITS)


def needed_bytes(shape: Sequence[int], bits: int) -> int:
    """Count the bytes of an array; exact for any size."""
    return -(-math.prod(map(int, shape)) * bits // 8)


def _rounded(count: int) -> str:
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
