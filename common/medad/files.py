# SPDX-License-Identifier: Apache-2.0
"""Write files so that a killed run leaves whole files only: temporary name first, then rename."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name for a file or folder and rename it when the block ends without an error.

    Args:
        path: final name; what stands there is replaced. What a killed run leaves beside it is removed.

    Yields:
        Temporary name in the same folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, replaced = (path.with_name(f".{path.name}.{end}") for end in ("partial", "replaced"))
    _remove(partial)
    _remove(replaced)
    try:
        yield partial
        if path.is_dir():  # cannot be replaced in one step, and must never stand there half deleted
            path.replace(replaced)
        partial.replace(path)
    finally:
        _remove(partial)
        _remove(replaced)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file with a header in one step."""
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header; a missing file has no rows, and a last row that was cut off does not count."""
    if not path.is_file():
        return []
    whole, end, _ = path.read_bytes().decode("utf-8", errors="replace").rpartition("\n")
    return list(csv.DictReader(io.StringIO(whole + end, newline="")))
