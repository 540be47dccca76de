# SPDX-License-Identifier: Apache-2.0
"""Tables of a run: ``scores.csv`` (case, score, p-value, decision, note ...) and ``failures.csv`` (case, reason)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..checks import require_flag
from ..files import append_csv, read_csv, write_csv
from ..keys import Keys
from ..report import redact_paths

SCORE_COLUMNS = ("case", "score", "p_value", "decision", "note", "source")
FAILURE_COLUMNS = ("case", "failure")


def score_row(case: dict[str, Any]) -> dict[str, str]:
    """One row of ``scores.csv``; p-value and decision are empty where there is no calibration.

    With ``dataset`` where the case names one, and the path of its image below the folder of the data.
    """
    p_value, decision = case.get(Keys.P_VALUE), case.get(Keys.DECISION)
    return {
        "case": str(case[Keys.CASE]),
        **({"dataset": case[Keys.DATASET]} if Keys.DATASET in case else {}),
        "score": f"{float(case[Keys.ANOMALY_SCORE]):.9g}",
        "p_value": "" if p_value is None else f"{float(p_value):.6g}",
        "decision": "" if decision is None else str(int(decision)),
        "note": redact_paths(str(case.get(Keys.NOTE, ""))),
        "source": str(case.get(Keys.SOURCE, "")),
    }


def score_columns(rows: Iterable[Mapping[str, str]], anonymous: bool = False) -> tuple[str, ...]:
    """Columns of a table of scores: with ``dataset`` after ``case`` if a case names one, and without ``source``."""
    first, *others = (name for name in SCORE_COLUMNS if not (anonymous and name == "source"))
    return (first, *(["dataset"] if any("dataset" in row for row in rows) else []), *others)


class ScoreTable:
    """Write ``scores.csv``: a row as soon as a case is done, and the whole table, sorted by case, at the end.

    Cases of several data sets have the column ``dataset``.

    Args:
        output_dir: folder of the run.
        resume: whether rows of an earlier run are kept.
        anonymous: whether the column ``source`` is left out.
    """

    def __init__(self, output_dir: str | Path, resume: bool = False, anonymous: bool = False) -> None:
        require_flag(output_dir, anonymous=anonymous)
        self.path = Path(output_dir) / "scores.csv"
        self.resume = resume
        self.anonymous = anonymous
        self.kept: dict[str, dict[str, str]] = {}
        self.rows: dict[str, dict[str, str]] = {}

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.append)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Begin with the rows of the earlier run, or with none."""
        self.rows, self.kept = {}, {}
        if idist.get_rank() == 0:
            self.kept = {row["case"]: row for row in read_csv(self.path)} if self.resume else {}
            self._write(list(self.kept.values()))

    def append(self, engine: Engine) -> None:
        """Add the cases of this iteration."""
        rows = [score_row(case) for case in engine.state.output]
        self.rows.update((row["case"], row) for row in rows)
        if idist.get_rank() != 0 or not rows:
            return
        if "dataset" not in self.columns and any("dataset" in row for row in rows):
            self._write([*self.kept.values(), *self.rows.values()])
            return
        append_csv(self.path, self.columns, rows)

    def finish(self, engine: Engine) -> None:
        """Write the table of all ranks in order."""
        gathered = idist.all_gather(self.rows)
        if idist.get_rank() == 0:
            rows = {case: row for part in (self.kept, *gathered) for case, row in part.items()}
            self._write([rows[case] for case in sorted(rows)])

    def _write(self, rows: list[dict[str, str]]) -> None:
        self.columns = score_columns(rows, self.anonymous)
        write_csv(self.path, self.columns, rows)


class FailureTable:
    """Write ``failures.csv``: a row as soon as a case fails, and the whole table, sorted by case, at the end.

    An empty table says that nothing failed.

    Args:
        output_dir: folder of the run.
        anonymous: whether the names of files in the reasons are replaced.
    """

    def __init__(self, output_dir: str | Path, anonymous: bool = False) -> None:
        self.path = Path(output_dir) / "failures.csv"
        self.anonymous = anonymous

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.append)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Begin with an empty table: cases that failed earlier are done again."""
        self.written = 0
        if idist.get_rank() == 0:
            self._write([])

    def append(self, engine: Engine) -> None:
        """Add new failures at once: a run that is killed still tells them."""
        new = engine.state.failures[self.written :]
        self.written += len(new)
        if idist.get_rank() == 0 and new:
            append_csv(self.path, FAILURE_COLUMNS, self._shown(new))

    def finish(self, engine: Engine) -> None:
        """Write the failures of all ranks in order."""
        gathered = idist.all_gather(engine.state.failures)
        if idist.get_rank() == 0:
            self._write([row for part in gathered for row in part])

    def _write(self, failures: list[dict[str, str]]) -> None:
        write_csv(self.path, FAILURE_COLUMNS, sorted(self._shown(failures), key=lambda row: row["case"]))

    def _shown(self, failures: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{**row, "failure": redact_paths(row["failure"])} for row in failures] if self.anonymous else failures
