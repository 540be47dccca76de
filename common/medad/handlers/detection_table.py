# SPDX-License-Identifier: Apache-2.0
"""Table of detections: ``detections.csv``, a row per detected point."""

from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from ..anomaly_map import Candidates
from ..files import append_csv, read_csv, write_csv
from ..keys import Keys

COLUMNS = ("case", "x", "y", "z", "x_mm", "y_mm", "z_mm", "score", "size")


def detection_rows(case: dict[str, Any]) -> list[dict[str, str]]:
    """Rows of ``detections.csv`` of one case, the highest score first.

    ``x_mm = A x + b`` with the affine of the file: RAS coordinates, three of a flat image too.

    Args:
        case: post-processed case with ``case``, ``anomaly_map`` with its affine, and ``detections``:
            :class:`medad.anomaly_map.Candidates` on the grid of the file.

    Returns:
        A row of ``COLUMNS`` per detection; without ``z`` for a flat image.
    """
    found: Candidates = case[Keys.DETECTIONS]
    voxels = found.centroids.cpu().double()
    axes = voxels.shape[1]
    affine = torch.as_tensor(case[Keys.ANOMALY_MAP].affine).cpu().double()
    positions = voxels @ affine[:3, :axes].T + affine[:3, 3]
    return [
        {
            "case": str(case[Keys.CASE]),
            **{name: f"{value:.2f}" for name, value in zip("xyz", voxel, strict=False)},
            **{f"{name}_mm": f"{value:.2f}" for name, value in zip("xyz", position, strict=True)},
            "score": f"{score:.9g}",
            "size": str(size),
        }
        for voxel, position, score, size in zip(
            voxels.tolist(), positions.tolist(), found.means.tolist(), found.sizes.tolist(), strict=True
        )
    ]


class DetectionTable:
    """Write ``detections.csv``: rows as soon as a case is done, and the whole table, sorted by case, at the end.

    Cases without ``detections`` have no rows. Put it before :class:`ScoreTable`: a case with a score counts as finished
    when a run is resumed, and then has its detections.

    Args:
        output_dir: folder of the run.
        resume: whether rows of an earlier run are kept.
    """

    def __init__(self, output_dir: str | Path, resume: bool = False) -> None:
        self.path = Path(output_dir) / "detections.csv"
        self.resume = resume
        self.rows: dict[str, list[dict[str, str]]] = {}

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.append)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Begin with the rows of the earlier run, or with none."""
        self.rows = {}
        if idist.get_rank() == 0:
            for row in read_csv(self.path) if self.resume else []:
                self.rows.setdefault(row["case"], []).append(row)
            self._write(self.rows)

    def append(self, engine: Engine) -> None:
        """Add the detections of the cases of this iteration."""
        found = {str(case[Keys.CASE]): detection_rows(case) for case in engine.state.output if Keys.DETECTIONS in case}
        self.rows.update(found)
        if idist.get_rank() == 0:
            append_csv(self.path, COLUMNS, [row for rows in found.values() for row in rows])

    def finish(self, engine: Engine) -> None:
        """Write the table of all ranks in order."""
        gathered = idist.all_gather(self.rows)
        if idist.get_rank() == 0:
            self._write({case: rows for part in gathered for case, rows in part.items()})

    def _write(self, found: dict[str, list[dict[str, str]]]) -> None:
        write_csv(self.path, COLUMNS, [row for case in sorted(found) for row in found[case]])
