# SPDX-License-Identifier: Apache-2.0
"""DICOM padding: pixels whose stored value a header declares as no measurement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


def declared_padding(stored: NDArray[Any], header: Any) -> NDArray[np.bool_] | None:
    """Find the pixels that PixelPaddingValue, or the range from it to PixelPaddingRangeLimit, declares as padding.

    Args:
        stored: stored values, before rescaling.
        header: the header of the file.

    Returns:
        Mask of the same shape; ``None`` if nothing is declared, or the pixels have colors.

    References:
        DICOM PS3.3, C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit).
    """
    first = header.get("PixelPaddingValue")
    if first is None or str(header.get("PhotometricInterpretation", "")).strip() not in _MONOCHROME:
        return None
    last = header.get("PixelPaddingRangeLimit")
    low, high = sorted(_as_stored(value, header) for value in (first, first if last is None else last))
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(value: Any, header: Any) -> int:
    """Read a value in the type of the pixels: without explicit VR, or with a wrong one, -2000 comes as 63536."""
    number = int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)
    count = 2 ** int(header.BitsAllocated)
    is_signed = int(header.get("PixelRepresentation") or 0) == 1
    return (number + count // 2) % count - count // 2 if is_signed else number % count
