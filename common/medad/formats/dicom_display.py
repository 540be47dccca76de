# SPDX-License-Identifier: Apache-2.0
"""Displayed DICOM values: through window or lookup table of the file, bright where bright is meant."""

from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

pydicom, _ = optional_import("pydicom")

_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


def as_displayed(values: NDArray[np.float32], header: Any) -> NDArray[np.float32]:
    """Apply what the header says about display: VOI LUT, else window (the first of several), then MONOCHROME1.

    Args:
        values: rescaled values of all frames of a file.
        header: its header; the bits of its table are set to 16, an empty VOILUTFunction goes.

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
    low, high = (0, 2 ** int(table[0].LUTDescriptor[2]) - 1) if table else _stored_range(header)
    if table:  # pydicom counts entries in the type of their values: 8 bits would be too few for most tables
        entries, first, _ = table[0].LUTDescriptor
        table[0].LUTDescriptor = [entries, first, 16]
        values = np.rint(values).astype(np.int64)
    if "VOILUTFunction" in header and not header.VOILUTFunction:  # empty means linear
        del header.VOILUTFunction
    shown = np.asarray(pydicom.pixels.apply_voi_lut(values, header), dtype=np.float32)
    windowed = None not in (header.get("WindowCenter"), header.get("WindowWidth"))
    if not table and windowed and float(header.get("RescaleSlope") or 1) < 0:  # pydicom puts black where white is
        shown = np.float32(low + high) - shown
    return np.float32(low + high) - shown if kind == "MONOCHROME1" else shown


def _stored_range(header: Any) -> tuple[float, float]:
    """Lowest and highest rescaled value that the file could hold: of all files of a series the same."""
    bits, is_signed = int(header.BitsStored), int(header.PixelRepresentation) == 1
    stored = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    return stored[0] * slope + intercept, stored[1] * slope + intercept
