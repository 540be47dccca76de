# SPDX-License-Identifier: Apache-2.0
"""Inference run: everything that an inference leaves in its folder, in one handler."""

from pathlib import Path
from typing import Any

from ignite.engine import Engine

from ..calibration import StoredCalibration
from .case_saver import CaseSaver
from .detection_table import DetectionTable
from .dicom_results import DicomResults
from .progress import ProgressBar
from .report import ReportHandler
from .run_lock import RUN_LOCK, RunLock
from .run_record import RunRecord
from .tables import FailureTable, ScoreTable


class InferenceRun:
    """Write maps and masks, the tables of scores and failures, the record of the run and its report.

    Args:
        output_dir: folder of the run.
        calibration: the calibration that cases are judged by.
        bundle_root: bundle whose name and version the report carries.
        pred_name: what ``pred`` is, see :class:`CaseSaver`.
        map_white: value of the map that is drawn white.
        dicom_output: whether results of DICOM images are written as DICOM, too, see :class:`DicomResults`.
        detections: whether cases carry detections, which get a table.
        resume: whether an earlier run is continued.
        overwrite: whether an earlier run is replaced.
        anonymous: whether the tables name no files.

    Raises:
        ValueError: if the calibration names no weights.
        InputError: if an earlier run is to be continued and replaced.
    """

    def __init__(
        self,
        output_dir: str | Path,
        calibration: StoredCalibration,
        bundle_root: str | Path,
        pred_name: str = "mask",
        map_white: float = 1.0,
        dicom_output: bool | str = "auto",
        detections: bool = False,
        resume: bool = False,
        overwrite: bool = False,
        anonymous: bool = False,
    ) -> None:
        if calibration.weights_path is None:
            raise ValueError("calibration must name the weights of the run")
        dicom = DicomResults(dicom_output, bundle_root, calibration.weights_path)
        own = {"run": "inference", "pred_name": pred_name, "dicom_output": dicom.enabled}
        self.handlers: list[Any] = [
            RunLock(Path(output_dir) / RUN_LOCK, Path(output_dir)),
            RunRecord(output_dir, calibration, own, resume, overwrite),
            ProgressBar("inference"),
            CaseSaver(output_dir, map_white, pred_name, dicom),
        ]
        if detections:  # before the scores: a case with a score counts as finished
            self.handlers.append(DetectionTable(output_dir, resume))
        self.handlers += [
            ScoreTable(output_dir, resume, anonymous),
            FailureTable(output_dir, anonymous),
            ReportHandler(
                output_dir,
                "Inference",
                bundle_root,
                calibration,
                map_white=map_white,
                resume=resume,
                pred_name=pred_name,
            ),
        ]

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        for handler in self.handlers:
            handler.attach(engine)
