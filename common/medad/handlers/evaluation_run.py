# SPDX-License-Identifier: Apache-2.0
"""Evaluation run: everything that an evaluation leaves in its folder, in one handler."""

from pathlib import Path
from typing import Any

from ignite.engine import Engine

from ..calibration import StoredCalibration
from .detection_table import DetectionTable
from .metrics import MetricsHandler
from .progress import ProgressBar
from .report import ReportHandler
from .run_lock import RUN_LOCK, RunLock
from .run_record import RunRecord
from .tables import FailureTable, ScoreTable


class EvaluationRun:
    """Write the tables of scores and failures, the metrics against the truth, and the report; no maps.

    Args:
        output_dir: folder of the run.
        calibration: the calibration that cases are judged by.
        bundle_root: bundle whose name and version the report carries.
        seed: seed of the bootstrap.
        map_white: value of the map that is drawn white where there is no calibration.
        detection_slack: how far from a lesion a detection may be to hit it, in voxels; ``None`` for a method without
            detections.
        overwrite: whether a run that the folder holds is replaced.
        anonymous: whether the tables name no files.
    """

    def __init__(
        self,
        output_dir: str | Path,
        calibration: StoredCalibration,
        bundle_root: str | Path,
        seed: int = 0,
        map_white: float = 1.0,
        detection_slack: float | None = None,
        overwrite: bool = False,
        anonymous: bool = False,
    ) -> None:
        self.metrics = MetricsHandler(output_dir, seed=seed, detection_slack=detection_slack or 0.0)
        self.handlers: list[Any] = [
            RunLock(Path(output_dir) / RUN_LOCK, Path(output_dir)),
            RunRecord(output_dir, calibration, {"run": "evaluation"}, overwrite=overwrite, case_folders=False),
            ProgressBar("evaluation"),
        ]
        if detection_slack is not None:
            self.handlers.append(DetectionTable(output_dir))
        self.handlers += [
            ScoreTable(output_dir, anonymous=anonymous),
            FailureTable(output_dir, anonymous),
            self.metrics,
            ReportHandler(output_dir, "Evaluation", bundle_root, calibration, map_white=map_white),
        ]

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        for handler in self.handlers:
            handler.attach(engine)
