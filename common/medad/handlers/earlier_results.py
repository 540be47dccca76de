# SPDX-License-Identifier: Apache-2.0
"""Earlier results: what a run removes of another one that it replaces or continues."""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from ..files import read_csv, remove, temporary_names, write_csv
from ..loading.earlier_run import RUN_FILE, EarlierRun

_TABLES = ("scores.csv", "detections.csv")
_SUMMARIES = ("report.html", "cases.png")
_OF_ALL_CASES = ("failures.csv", "froc.csv", "metrics.json")


def foreign_results(folder: Path, cases: Collection[str], earlier: EarlierRun | None) -> list[str]:
    """List what lies where a run will write, and no earlier run has written.

    Args:
        folder: of the run.
        cases: whose results will get a folder each.
        earlier: the run that the folder holds, ``None`` if there is none.

    Returns:
        Names below the folder.
    """
    tables = [] if earlier is not None else [folder / name for name in (*_SUMMARIES, *_TABLES, *_OF_ALL_CASES)]
    found = [path for path in tables if os.path.lexists(path)]
    for place in (folder / case for case in cases):
        if earlier is not None and place.name in earlier.cases and place.is_dir() and not place.is_symlink():
            found += [path for path in place.iterdir() if not path.name.startswith(f"{place.name}_")]
        elif os.path.lexists(place):
            found.append(place)
    return sorted(str(path.relative_to(folder)) for path in found)


def remove_results(folder: Path, earlier: EarlierRun) -> None:
    """Remove everything that an earlier run wrote, and nothing else; its record goes last.

    Args:
        folder: of the run.
        earlier: the run.
    """
    for name in (*_SUMMARIES, *_TABLES, *_OF_ALL_CASES):
        _remove(folder / name)
    for case in earlier.cases:
        if Path(case).name == case and case.strip("."):  # a record never leads out of its folder
            _remove_case(folder / case)
    remove(folder / RUN_FILE)


def forget_unfinished(folder: Path, finished: Collection[str]) -> None:
    """Remove what an earlier run said about cases that are done again, before their files may be others.

    Args:
        folder: of the run.
        finished: cases whose results stay.
    """
    for name in _SUMMARIES:
        _remove(folder / name)
    for name in _TABLES:
        rows = read_csv(folder / name)
        kept = [row for row in rows if row["case"] in finished]
        if len(kept) < len(rows):
            write_csv(folder / name, tuple(rows[0]), kept)


def _remove_case(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        for file in folder.glob(f"{folder.name}_*"):
            remove(file)
        with contextlib.suppress(OSError):  # something else lies in it, and stays
            folder.rmdir()
    for temporary in temporary_names(folder):
        remove(temporary)


def _remove(path: Path) -> None:
    for file in (path, *temporary_names(path)):
        remove(file)
