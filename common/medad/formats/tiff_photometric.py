# SPDX-License-Identifier: Apache-2.0
"""TIFF photometric interpretation: where white is zero, values are turned over, so that bright is high.

Pillow does that for one and eight bits only, ITK for none.
"""

from typing import Any

from numpy.typing import NDArray

from ..errors import InputError

PHOTOMETRIC = 262
"""The tag."""
_WHITE_IS_ZERO = 0


def bright_is_high(
    array: NDArray[Any], photometric: int | None, bits: int, is_unsigned: bool, path: str
) -> NDArray[Any]:
    """Turn gray values over where white is zero.

    Args:
        array: values as they are stored.
        photometric: what the tag says, ``None`` where there is none.
        bits: per value in the file.
        is_unsigned: whether the file holds whole numbers from 0.
        path: named in errors.

    Returns:
        Array of the same shape and type.

    Raises:
        InputError: if white is zero and it is not said what black is: in signed and real numbers.
    """
    if photometric != _WHITE_IS_ZERO:
        return array
    if not is_unsigned:
        raise InputError(
            "white is zero in this TIFF of signed or real numbers, so what black is stays unknown",
            where=path,
            expected="unsigned whole numbers where white is zero, or BlackIsZero",
            remedy="Save it again as BlackIsZero (min-is-black).",
        )
    return array.dtype.type(2**bits - 1) - array
