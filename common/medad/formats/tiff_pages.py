# SPDX-License-Identifier: Apache-2.0
"""TIFF pages: how many a file has; its chain of directories is followed without being trusted.

ITK follows a chain that leads back to itself for ever, and Pillow decodes every directory on the way. tifffile 2026.3
looks for a circle once, at the hundredth page, and goes round a later one up to 2^32 times; and a chain that leads out
of the file ends there for it, as if no page were missing.
"""

import struct
from pathlib import Path

from ..errors import InputError

TIFF_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
"""The first two bytes of a TIFF file, and what they mean for :mod:`struct`."""
# magic number: position and form of the first offset, form of the entry count, bytes of an entry
_FORMS = {42: (4, "I", "H", 12), 43: (8, "Q", "Q", 20)}


def count_tiff_pages(path: str | Path) -> int:
    """Count the directories of a TIFF or BigTIFF file, one per page.

    Args:
        path: the file.

    Returns:
        At least 1.

    Raises:
        InputError: if it is no TIFF file, or the chain of directories is broken or leads in a circle.
    """
    with Path(path).open("rb") as file:
        header = file.read(16)
        order = TIFF_BYTE_ORDERS.get(header[:2], "<")
        form = _FORMS.get(int.from_bytes(header[2:4], "little" if order == "<" else "big"))
        if header[:2] not in TIFF_BYTE_ORDERS or form is None or len(header) < 16:
            raise _error(path, f"it begins with {header[:4]!r}")
        start, offset_form, count_form, entry_size = form
        (offset,) = struct.unpack_from(order + offset_form, header, start)
        seen: set[int] = set()
        while offset:
            if offset in seen:
                raise _error(path, f"its pages lead in a circle: an earlier one follows page {len(seen)}")
            seen.add(offset)
            try:
                file.seek(offset)
                (entries,) = struct.unpack(order + count_form, file.read(struct.calcsize(count_form)))
                file.seek(entries * entry_size, 1)
                (offset,) = struct.unpack(order + offset_form, file.read(struct.calcsize(offset_form)))
            except (struct.error, OSError, OverflowError, ValueError) as error:
                raise _error(path, f"page {len(seen)} lies outside of the file") from error
    if not seen:
        raise _error(path, "it has no page")
    return len(seen)


def first_tag(path: str | Path, tag: int) -> int | None:
    """Read a tag of the first page whose value is one short number.

    Args:
        path: a TIFF file that :func:`count_tiff_pages` has approved.
        tag: its number.

    Returns:
        The value, or ``None`` if the page does not have the tag.
    """
    with Path(path).open("rb") as file:
        header = file.read(16)
        order = TIFF_BYTE_ORDERS[header[:2]]
        start, offset_form, count_form, entry_size = _FORMS[struct.unpack_from(order + "H", header, 2)[0]]
        file.seek(struct.unpack_from(order + offset_form, header, start)[0])
        (entries,) = struct.unpack(order + count_form, file.read(struct.calcsize(count_form)))
        for _ in range(entries):
            entry = file.read(entry_size)
            if struct.unpack_from(order + "H", entry)[0] == tag:
                return int(struct.unpack_from(order + "H", entry, entry_size - struct.calcsize(offset_form))[0])
    return None


def _error(path: str | Path, what: str) -> InputError:
    return InputError(
        what,
        where=path,
        expected="a TIFF file",
        remedy="Export it again; it is damaged, or another kind of file.",
    )
