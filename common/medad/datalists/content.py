# SPDX-License-Identifier: Apache-2.0
"""Content of image files: which of them are copies, whatever their names and the way they are packed.

Sizes are compared first, then samples or checksums, and whole files only where both are equal: most data sets are never
read. A file packed with gzip counts as what is in it, as its header says when it was packed, and its last bytes say how
large that is and what its checksum is. An image of an ``.npz`` archive counts by its values, and so does one whose
values lie in a file beside its header.
"""

import gzip
import hashlib
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, TypeVar

from ..formats.file_types import has_suffix
from ..formats.npz_reference import is_npz_reference, npz_digest
from ..formats.values_place import ValuesPlace, place_of_values

_Where = TypeVar("_Where")

_SAMPLE, _CHUNK = 2**14, 2**20
_GZIP_END = struct.Struct("<II")  # checksum and size of what is in it


def copies_among(names: Iterable[str], matters: Callable[[list[str]], bool]) -> list[list[str]]:
    """Find files of equal content.

    Args:
        names: paths, and references to images of archives.
        matters: says of names that may be copies of each other whether it is worth to look closer.

    Returns:
        Names of equal content, where that matters. What is empty, or cannot be read, is a copy of nothing.
    """
    files: list[str] = []
    in_archives: list[str] = []
    for name in names:
        (in_archives if is_npz_reference(name) else files).append(name)
    places = {name: place_of_values(name) for name in files} if matters(files) else {}
    groups = _parted(places, lambda place: place.begin)
    for key_of in (lambda group: _size, _glance, lambda group: _whole):
        groups = [part for group in groups if matters(list(group)) for part in _parted(group, key_of(group))]
    copies = [list(group) for group in groups]
    if matters(in_archives):
        copies += map(list, _parted({name: name for name in in_archives}, npz_digest))
    return [names for names in copies if matters(names)]


def _parted(values: Mapping[str, _Where], key: Callable[[_Where], Hashable]) -> list[dict[str, _Where]]:
    """Part names by what is found where their values lie."""
    parts: dict[Hashable, dict[str, _Where]] = defaultdict(dict)
    for name, where in values.items():
        found = key(where)
        if found:
            parts[found][name] = where
    return list(parts.values())


def _size(place: ValuesPlace) -> Hashable:
    try:
        if not Path(place.file).is_file():
            return None
        return _gzip_end(place.file)[1] if _is_packed(place.file) else Path(place.file).stat().st_size
    except (OSError, ValueError, struct.error):
        return None


def _glance(group: Mapping[str, ValuesPlace]) -> Callable[[ValuesPlace], Hashable]:
    """Choose what files of one size are compared by before they are read to the end."""
    return _checksum if any(_is_packed(place.file) for place in group.values()) else _sample


def _sample(place: ValuesPlace) -> Hashable:
    return _read(place.file, _middle)


def _checksum(place: ValuesPlace) -> Hashable:
    return ("checksum", _gzip_end(place.file)[0] if _is_packed(place.file) else _read(place.file, _crc32))


def _whole(place: ValuesPlace) -> Hashable:
    return _read(place.file, _hash)


def _is_packed(name: str) -> bool:
    return has_suffix(name, (".gz",))


def _gzip_end(name: str) -> tuple[int, int]:
    with Path(name).open("rb") as file:
        file.seek(-_GZIP_END.size, 2)
        checksum, size = _GZIP_END.unpack(file.read())
    return checksum, size


def _read(name: str, summary: Callable[[IO[bytes]], Hashable]) -> Hashable:
    try:
        return _summary(name, Path(name).stat().st_mtime_ns, summary)
    except OSError:
        return None


@lru_cache(maxsize=2**16)
def _summary(name: str, modified: int, summary: Callable[[IO[bytes]], Hashable]) -> Hashable:
    del modified  # part of the cache key only: every split of a data set is asked for on its own
    try:
        with Path(name).open("rb") as file:
            return summary(gzip.GzipFile(fileobj=file) if _is_packed(name) else file)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error):
        return None


def _middle(file: IO[bytes]) -> bytes:
    """Some bytes of the middle: the beginning is a header, the end background."""
    file.seek(max(0, (file.seek(0, 2) - _SAMPLE) // 2))
    return hashlib.sha256(file.read(_SAMPLE)).digest()


def _crc32(file: IO[bytes]) -> int:
    checksum = 0
    for chunk in _chunks(file):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def _hash(file: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.digest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
