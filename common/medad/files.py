# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are written whole or not at all: under a temporary name first, then renamed."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from .errors import InputError
from .explanations import is_full_disk

_ROOM = 2**16


@contextmanager
def atomic_path(path: Path, many_writers: bool = False) -> Iterator[Path]:
    """Give a temporary name for a file or folder and rename it when the block ends without an error.

    Args:
        path: final name; what stands there is replaced. What a killed run leaves beside it is removed.
        many_writers: whether other processes may write the same at the same time. Each has a temporary name of its own
            then, and a folder that stands there is only replaced if it is empty.

    Yields:
        Temporary name in the same folder.

    Raises:
        InputError: if the disk is full.
        OSError: if something else cannot be written, or another of many writers was first with a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if many_writers:
        partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
        try:
            with _full_disk_named(path):
                yield partial
            partial.replace(path)
        finally:
            remove(partial)
        return
    partial, replaced = temporary_names(path)
    remove(partial)
    remove(replaced)
    try:
        with _full_disk_named(path):
            yield partial
        if path.is_dir():  # cannot be replaced in one step, and must never stand there half deleted
            path.replace(replaced)
        partial.replace(path)
    finally:
        remove(partial)
        remove(replaced)


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    """Say which file there is no room for; the error of the system names none, and NumPy and torch hide it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not is_full_disk(error) and shutil.disk_usage(path.parent).free > _ROOM:
            raise
        raise InputError(
            "the disk is full",
            where=path,
            expected="room for what is written there",
            remedy="Make room, and run it again, with resume where the command takes it.",
        ) from error


def user_path(path: str | os.PathLike[str]) -> Path:
    """Read a path as a shell does, with ``~`` for a home folder, unless it is the name of what exists."""
    try:
        return Path(path) if os.path.lexists(path) else Path(path).expanduser()
    except RuntimeError:  # there is no such user
        return Path(path)


def temporary_names(path: Path) -> tuple[Path, Path]:
    """Names under which what is written, and what it replaces, stand for a moment; a killed run may leave them."""
    return path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.replaced")


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file with a header in one step; entries of rows that are no column are left out."""
    with atomic_path(path) as partial, open_table(partial, "w") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def append_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a CSV file; entries that are no column are left out."""
    with _full_disk_named(path), open_table(path, "a") as file:
        csv.DictWriter(file, columns, extrasaction="ignore").writerows(rows)


def open_table(path: Path, mode: str) -> IO[str]:
    """Open a CSV file to write; what is no text, as in the name of a file, is written in digits."""
    return path.open(mode, newline="", encoding="utf-8", errors="backslashreplace")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header; a missing file has no rows, and a last row that was cut off does not count."""
    if not path.is_file():
        return []
    whole, end, _ = path.read_bytes().decode("utf-8", errors="replace").rpartition("\n")
    return list(csv.DictReader(io.StringIO(whole + end, newline="")))
