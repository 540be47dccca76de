# SPDX-License-Identifier: Apache-2.0
"""Case fingerprint: which files a case was made from, and in which state, without their names in clear text."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..datalists.items import CASE, FOREGROUND, MASK, Item, image_paths
from ..errors import InputError
from ..formats import is_dicom
from ..formats.dicom_series import series_files
from ..formats.npz_reference import npz_archive
from ..formats.paths import is_folder

_LENGTH = 16


def case_fingerprints(items: Sequence[Item]) -> dict[str, str]:
    """Tell the files of cases apart by path, size and time of the last change.

    Args:
        items: items of a data list.

    Returns:
        By case, in their order: the first 16 hexadecimal digits of a SHA-256.
    """
    return {item[CASE]: _fingerprint(item) for item in items}


def _fingerprint(item: Item) -> str:
    given = [*image_paths(item), *(item[key] for key in (FOREGROUND, MASK) if item.get(key))]
    states = [f"{name}\0{_states(_files(npz_archive(name)))}" for name in map(str, given)]
    return hashlib.sha256("\0".join(states).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def _files(path: str) -> list[Path]:
    """Files of an image: all of a folder, all slices of a DICOM series that one of them stands for, or just one."""
    if is_folder(path):
        try:
            return sorted(file for file in Path(path).iterdir() if not is_folder(file))
        except OSError:  # it may not be searched
            return [Path(path)]
    if not is_dicom(path):
        return [Path(path)]
    try:
        return [Path(file) for file in series_files(path)]
    except InputError:
        return [Path(path)]


def _states(files: Iterable[Path]) -> str:
    return "\0".join(f"{file}\0{_state(file)}" for file in files)


def _state(file: Path) -> str:
    try:
        status = file.stat()
    except (OSError, ValueError):  # a case whose file is missing fails by itself
        return "missing"
    return f"{status.st_size}\0{status.st_mtime_ns}"
