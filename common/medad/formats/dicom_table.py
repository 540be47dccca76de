# SPDX-License-Identifier: Apache-2.0
"""DICOM lookup tables: of the modality (from stored values to a unit) and of interest (to what a viewer shows).

pydicom's own functions refuse or wrap tables of 10 to 15 bits, negative first values and values from outside.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_fault import DicomFault

_BIG_ENDIAN = "1.2.840.10008.1.2.2"


def apply_table(values: NDArray[Any], table: Any, header: Any) -> NDArray[np.float32]:
    """Look values up; what lies outside of a table gets its first or last entry.

    Args:
        values: whole numbers of any type.
        table: an item of a Modality LUT Sequence or VOI LUT Sequence.
        header: the header that it stands in.

    Returns:
        Array of the same shape.

    Raises:
        DicomFault: if the table has fewer entries than it announces.

    References:
        DICOM PS3.3, C.11.1.1 and C.11.2.1.1 (LUT Descriptor and LUT Data).
    """
    count, first, _ = map(int, table.LUTDescriptor)
    count = count or 2**16
    entries = _entries(table.LUTData, count, header)
    if len(entries) < count:
        raise DicomFault(f"a lookup table of {len(entries)} entries that announces {count}")
    if first >= 2**15 and values.max() < first:  # without an explicit VR, -1024 comes as 64512
        first -= 2**16
    return entries[np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)].astype(np.float32)


def highest_entry(table: Any) -> int:
    """Give the highest value that the entries of a table can have."""
    return int(2 ** int(table.LUTDescriptor[2]) - 1)


def _entries(data: Any, count: int, header: Any) -> NDArray[Any]:
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data, dtype=np.int64))
    order = ">" if str(header.file_meta.get("TransferSyntaxUID", "")) == _BIG_ENDIAN else "<"
    packed = len(data) in (count, count + 1)  # 8 bits an entry, and an even number of bytes
    return np.frombuffer(data, dtype=np.uint8 if packed else f"{order}u2")
