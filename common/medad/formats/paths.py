# SPDX-License-Identifier: Apache-2.0
"""Paths that can be opened: a file or folder, not a broken link, a pipe or a device."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError, brief

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_openable(path: str | Path) -> None:
    """Check, without opening it, that a path leads to a folder or to a file with at least one byte.

    Opening anything else may block for ever (a pipe) or never end (a device).

    Args:
        path: file or folder.

    Raises:
        InputError: saying what stands at the path instead.
    """
    path = Path(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _error(path, _why(path, error), "Check the path, or restore the file.") from error
    kind = next((name for matches, name in _KINDS if matches(status.st_mode)), None)
    if kind:
        raise _error(path, f"{kind} found", "Remove it from the data, or copy the image itself to its place.")
    if not os.access(path, os.R_OK) or (stat.S_ISDIR(status.st_mode) and not is_searchable(path)):
        raise _error(path, "permission denied", "Change its permissions so that you may read it.")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise _error(path, "the file is empty (0 bytes)", "Copy or export it again.")


def is_file(path: str | Path) -> bool:
    """Say whether a path leads to a regular file; anything that cannot be found out counts as no."""
    return _has_mode(path, stat.S_ISREG)


def is_folder(path: str | Path) -> bool:
    """Say whether a path leads to a folder; anything that cannot be found out counts as no."""
    return _has_mode(path, stat.S_ISDIR)


def is_searchable(folder: Path) -> bool:
    """Say whether the entries of a folder may be listed and looked at."""
    return os.access(folder, os.R_OK | os.X_OK)


def _has_mode(path: str | Path, test: Callable[[int], bool]) -> bool:
    # Path.is_file and Path.is_dir raise where a folder above may not be searched
    try:
        return test(Path(path).stat().st_mode)
    except (OSError, ValueError):  # a path may hold a null character
        return False


def _why(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"a link to {path.readlink()}, which does not exist" if path.is_symlink() else "it does not exist"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "links that lead in a circle"
    return f"it cannot be opened ({brief(error)})"


def _error(path: Path, what: str, remedy: str) -> InputError:
    return InputError(what, where=path, expected="an image file, or the folder of a DICOM series", remedy=remedy)
