# SPDX-License-Identifier: Apache-2.0
"""Earlier run: what the ``run.json`` of a folder says about the run whose results lie there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

RUN_FILE = "run.json"
CASES, BATCH_SIZE, PROCESSES = "cases", "batch_size", "processes"


@dataclass(frozen=True)
class EarlierRun:
    """The run that a folder holds.

    Attributes:
        settings: what decided about its results, by name.
        cases: fingerprint of each case, in the order of the cohort.
        batch_size: images per batch and process.
        processes: how many shared the cohort.
    """

    settings: Mapping[str, Any]
    cases: Mapping[str, str]
    batch_size: int
    processes: int

    def record(self) -> dict[str, Any]:
        """Content of ``run.json``."""
        counts = {BATCH_SIZE: self.batch_size, PROCESSES: self.processes}
        return {**self.settings, **counts, CASES: dict(self.cases)}

    def shares(self) -> list[tuple[str, ...]]:
        """Cases that are processed together, one batch for each process."""
        names, size = list(self.cases), self.batch_size * self.processes
        return [tuple(names[start : start + size]) for start in range(0, len(names), size)]


def read_earlier_run(folder: Path) -> EarlierRun | None:
    """Read the record of the run that a folder holds.

    Args:
        folder: of the run.

    Returns:
        The run, or ``None`` if there is none.

    Raises:
        InputError: if the record cannot be used.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
        cases, batch_size, processes = (record.pop(name) for name in (CASES, BATCH_SIZE, PROCESSES))
        return EarlierRun(record, dict(cases), int(batch_size), int(processes))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"no usable record of a run ({type(error).__name__}: {error})",
            where=path,
            expected="what this version writes: settings, batch_size, processes and cases",
            remedy="Begin anew in another output_dir, or delete this one.",
        ) from error
