# SPDX-License-Identifier: Apache-2.0
"""Displayed DICOM values: through window or lookup table of the frame, bright where bright is meant."""

from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from ..errors import InputError
from .dicom_table import apply_table, highest_entry

pydicom, _ = optional_import("pydicom")

_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


def require_one_polarity(header: Any, where: str) -> None:
    """Check that a header does not say of the same values that they are bright and that they are dark.

    Args:
        header: of a DICOM image.
        where: the file, named in errors.

    Raises:
        InputError: at MONOCHROME2 (bright is high) beside the PresentationLUTShape INVERSE (bright is low).
    """
    kind, shape = (str(header.get(name, "")).strip() for name in ("PhotometricInterpretation", "PresentationLUTShape"))
    if kind == "MONOCHROME2" and shape == "INVERSE":
        raise InputError(
            "MONOCHROME2 beside the PresentationLUTShape INVERSE: bright and dark are exchanged, or not",
            where=where,
            expected="MONOCHROME2 with IDENTITY, or MONOCHROME1 with INVERSE",
            remedy="Export the file again, or correct PresentationLUTShape.",
        )


def as_displayed(values: NDArray[np.float32], header: Any) -> NDArray[np.float32]:
    """Apply what the header says about display: VOI LUT, else window (the first of several), then MONOCHROME1.

    Args:
        values: rescaled values of a frame.
        header: its header; an empty VOILUTFunction goes.

    Returns:
        Values of the same shape; color is not changed.

    Raises:
        Exception: whatever pydicom raises at a window or table that cannot be applied.

    References:
        DICOM PS3.3, C.11.2 (VOI LUT) and C.7.6.3.1.2 (photometric interpretation).
    """
    kind = str(header.get("PhotometricInterpretation", "")).strip()
    if kind not in _MONOCHROME:
        return values
    table = header.get("VOILUTSequence")
    low, high = (0, highest_entry(table[0])) if table else _range(header)
    if table:
        shown = apply_table(values, table[0], header)
    elif None in (header.get("WindowCenter"), header.get("WindowWidth")):
        shown = values
    else:
        if "VOILUTFunction" in header and not header.VOILUTFunction:  # empty means linear
            del header.VOILUTFunction
        shown = np.asarray(pydicom.pixels.apply_windowing(values, header), dtype=np.float32)
        if float(header.get("RescaleSlope") or 1) < 0:  # pydicom puts black where white is
            shown = np.float32(low + high) - shown
    return np.float32(low + high) - shown if kind == "MONOCHROME1" else shown


def _range(header: Any) -> tuple[float, float]:
    """Lowest and highest rescaled value that the file could hold: of all files of a series the same."""
    if header.get("ModalityLUTSequence"):
        return 0, highest_entry(header.ModalityLUTSequence[0])
    bits, is_signed = int(header.BitsStored), int(header.PixelRepresentation) == 1
    stored = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    return stored[0] * slope + intercept, stored[1] * slope + intercept
