# SPDX-License-Identifier: Apache-2.0
"""Header of a MetaImage (.mha, .mhd) or NRRD file (.nrrd, .nhdr), read before ITK reads it.

ITK believes what such a header says: it reads a file that the header names, wherever it lies and whatever it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .declared_size import require_fitting_size
from .file_types import META_IMAGE_SUFFIXES, has_suffix
from .paths import is_file

_LONGEST = 2**16
_META_BITS = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 8),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 16),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"), 32),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 64),
}
_NRRD_BITS = {
    8: r"(un)?signed char|u?char|u?int8(_t)?",
    16: r"((un)?signed )?short( int)?|ushort|u?int16(_t)?",
    32: r"(un)?signed int|u?int|u?int32(_t)?|float",
    64: r"((un)?signed )?long ?long( int)?|u?longlong|u?int64(_t)?|double",
}
_META_DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")
_SMALLEST_AXES, _MOST_AXES = 2, 4
_DAMAGED = "Export it again; it is damaged, or another kind of file."


@dataclass(frozen=True)
class ItkHeader:
    """What must fit together before ITK reads a file.

    Attributes:
        shape: size along every axis, channels included.
        bits: per value.
        packed: whether the values are compressed, or written as text.
        data: file that holds the values.
        oriented: whether it says how the axes lie in the body.
        begin: what it says of where in that file the values begin: bytes and lines to skip.
    """

    shape: tuple[int, ...]
    bits: int
    packed: bool
    data: Path
    oriented: bool
    begin: tuple[str, str]


def require_sound_header(path: str) -> ItkHeader:
    """Check that a file can hold what its header announces, and that its values lie beside it.

    Args:
        path: the file.

    Returns:
        Its header.

    Raises:
        InputError: if the header cannot be read, names a file elsewhere, or announces more than there is.
    """
    header = _read_header(Path(path))
    if not is_file(header.data):
        raise _error(
            path, f"its values are said to be in {header.data.name}, which is not there", "Put that file beside it."
        )
    require_fitting_size(header.data, header.shape, header.bits, header.packed)
    return header


def values_of(path: Path) -> Path | None:
    """Give the file that holds the values of a header, or ``None`` if the header cannot be read."""
    header = header_of(path)
    return None if header is None else header.data


def header_of(path: Path) -> ItkHeader | None:
    """Read the header of a file, whatever it says; ``None`` if it cannot be read."""
    try:
        return _read_header(path) if is_file(path) else None
    except (InputError, OSError):
        return None


def _read_header(path: Path) -> ItkHeader:
    with path.open("rb") as file:
        text = file.read(_LONGEST).decode("latin-1")
    try:
        return _meta_image(path, text) if has_suffix(path, META_IMAGE_SUFFIXES) else _nrrd(path, text)
    except KeyError as error:
        raise _error(path, f"its header cannot be read (no {error.args[0]})") from error
    except ValueError as error:
        raise _error(path, f"its header cannot be read ({error})") from error


def _meta_image(path: Path, text: str) -> ItkHeader:
    fields = _fields(text, r"^\s*(\w+)\s*=\s*(.*?)\s*$", last="ElementDataFile")
    shape = _sizes(fields["DimSize"], int(fields["NDims"]))
    channels, kind = int(fields.get("ElementNumberOfChannels", "1")), fields["ElementType"]
    if kind not in _META_BITS:
        raise ValueError(f"type {kind!r}")
    compressed = fields.get("CompressedData", "False").lower() == "true"
    data = _data_file(path, fields["ElementDataFile"])
    oriented = any(name in fields for name in _META_DIRECTIONS)
    begin = fields.get("HeaderSize", "0"), "0"
    return ItkHeader((*shape, channels), _META_BITS[kind], compressed, data, oriented, begin)


def _nrrd(path: Path, text: str) -> ItkHeader:
    if not text.startswith("NRRD"):
        raise ValueError(f"it begins with {text[:4]!r}")
    head = re.split(r"\n\r?\n", text, maxsplit=1)[0]
    fields = {key.lower(): value for key, value in _fields(head, r"^([\w ]+):\s(.*?)\s*$").items()}
    shape = _sizes(fields["sizes"], int(fields["dimension"]))
    bits = [bits for bits, names in _NRRD_BITS.items() if re.fullmatch(names, fields["type"].lower())]
    if not bits:
        raise ValueError(f"type {fields['type']!r}")
    data = _data_file(path, fields.get("data file", fields.get("datafile", "LOCAL")))
    skipped, lines = (fields.get(f"{unit} skip", fields.get(f"{unit}skip", "0")) for unit in ("byte", "line"))
    return ItkHeader(shape, bits[0], fields["encoding"].lower() != "raw", data, "space" in fields, (skipped, lines))


def _fields(text: str, pattern: str, last: str | None = None) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        match = re.match(pattern, line)
        if match:
            fields[match[1]] = match[2]
            if match[1] == last:
                break
    return fields


def _sizes(text: str, axes: int) -> tuple[int, ...]:
    sizes = tuple(map(int, text.split()))
    if len(sizes) != axes or not _SMALLEST_AXES <= axes <= _MOST_AXES or min(sizes) < 1:
        raise ValueError(f"sizes {text!r} for {axes} axes")
    return sizes


def _data_file(path: Path, name: str) -> Path:
    if name.upper() == "LOCAL":
        return path
    if Path(name).name != name or not name.strip("."):
        raise _error(path, f"its values are said to be in {name!r}", "Save it as one file.")
    return path.with_name(name)


def _error(path: str | Path, what: str, remedy: str = _DAMAGED) -> InputError:
    return InputError(
        what,
        where=path,
        expected="a MetaImage or NRRD file of 2 or 3 axes and, where it has channels, one more; values in the file "
        "itself or in one beside it",
        remedy=remedy,
    )
