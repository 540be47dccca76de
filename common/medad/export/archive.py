# SPDX-License-Identifier: Apache-2.0
"""Reproducible zip file: the same folder gives the same bytes."""

import hashlib
import zipfile
from pathlib import Path

from ..files import atomic_path

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16
_UNIX = 3


def write_zip(folder: Path, archive: Path) -> str:
    """Write a zip file that unpacks to a folder of the same name.

    Order, times and permissions of the files on disk do not matter.

    Args:
        folder: what goes in.
        archive: file to write.

    Returns:
        SHA-256 of the file, 64 hexadecimal digits.
    """
    with atomic_path(archive) as partial:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                name = (Path(folder.name) / path.relative_to(folder)).as_posix()
                file.writestr(entry_of(name, zipfile.ZIP_DEFLATED), path.read_bytes())
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    return digest


def entry_of(name: str, compress_type: int) -> zipfile.ZipInfo:
    """Describe a file of an archive by its name alone: no time, the same permissions on every system.

    Args:
        name: path in the archive.
        compress_type: such as ``zipfile.ZIP_DEFLATED``.

    Returns:
        What ``ZipFile.writestr`` takes.
    """
    entry = zipfile.ZipInfo(name, _EARLIEST)
    entry.compress_type = compress_type
    entry.create_system = _UNIX
    entry.external_attr = _READABLE_FILE
    return entry
