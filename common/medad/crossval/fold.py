# SPDX-License-Identifier: Apache-2.0
"""One fold: its data list, its trainings, calibration and test, and what pooling needs of it."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from ..calibration import Calibration, load_calibration
from ..configuration import build, open_workflow
from ..datalists import Splits
from ..engines import CohortError
from ..errors import unwrap_errors
from ..files import atomic_path, read_csv, write_csv, write_json
from ..handlers import CaseSaver, EvaluationRun
from ..metrics import DetectionRecord
from ..networks.weights import read_tensors
from .standardization import SCORE_COLUMNS, FoldResults

_logger = logging.getLogger(__name__)

_DONE, _SCORES, _STATES = "done.json", "scores.csv", "metrics_state.pt"


@dataclass(frozen=True)
class Recipe:
    """What all folds have in common.

    Args:
        bundle: folder of the bundle.
        overlays: overlays of the bundle, for training and test.
        stages: the trainings of a fold in their order: ``"train"`` is train.json, any other one an overlay on it.
        overrides: values by key.
        maps: whether the maps and masks of the tested cases are written.
    """

    bundle: Path
    overlays: Sequence[str] = ()
    stages: Sequence[str] = ("train",)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    maps: bool = True


@dataclass(frozen=True)
class Fold:
    """One fold and its folder.

    Args:
        folder: everything of the fold is written there.
        datasets: splits by name of the data set; a single one has the name ``""``.
    """

    folder: Path
    datasets: Mapping[str, Splits]

    @property
    def evaluation(self) -> Path:
        """Folder of the test: tables, metrics, report, maps."""
        return self.folder / "evaluation"

    @property
    def calibration(self) -> Calibration:
        """Calibration of the fold's model."""
        return load_calibration(self._calibration_path)

    @property
    def _calibration_path(self) -> Path:
        return self.folder / "models" / "calibration.json"

    def metrics(self) -> dict[str, Any]:
        """Read the metrics of the fold."""
        metrics: dict[str, Any] = json.loads((self.evaluation / "metrics.json").read_text("utf-8"))
        return metrics

    def rows(self) -> list[dict[str, str]]:
        """Read the scores of the tested cases."""
        return read_csv(self.folder / _SCORES)

    def failures(self) -> list[dict[str, str]]:
        """Read which cases could not be tested."""
        return read_csv(self.evaluation / "failures.csv")

    def states(self) -> dict[str, Any]:
        """Load the states of the metrics, for :func:`medad.crossval.pool`."""
        states: dict[str, Any] = read_tensors(self.folder / _STATES)
        return states

    def is_finished(self, maps: bool) -> bool:
        """Say whether the fold is done, and its results are still there.

        Args:
            maps: whether the maps are among them.
        """
        files = (self.folder / name for name in (_DONE, _SCORES, _STATES))
        if not all(file.is_file() for file in files) or not (self.evaluation / "metrics.json").is_file():
            return False
        return not maps or all((self.evaluation / row["case"]).is_dir() for row in self.rows())

    def run(self, recipe: Recipe) -> None:
        """Train, calibrate and test; a training that was interrupted is continued.

        Args:
            recipe: what to run.

        Raises:
            MedadError: if the bundle, the data or a setting cannot be used.
        """
        models = self.folder / "models"
        given = {
            **recipe.overrides,
            "dataset_dir": self._write_datalists(),
            "layout": "datalist_json",
            "ckpt_dir": models,
            "ckpt_path": models / "model.pt",
            "calibration_path": self._calibration_path,
        }
        for stage in recipe.stages:
            overlays = [*(() if stage == "train" else (stage,)), *recipe.overlays]
            training = {"output_dir": self.folder / stage, "resume": any(models.glob("training_state*.pt"))}
            workflow = open_workflow(recipe.bundle, "train", overlays, given | training)
            workflow.run()
            workflow.finalize()
        self._test(recipe, {**given, "output_dir": self.evaluation, "resume": False, "overwrite": True})
        write_json(self.folder / _DONE, {"cases": len(self.rows()), "failures": len(self.failures())})

    def _write_datalists(self) -> str | dict[str, str]:
        paths = {}
        for name, splits in self.datasets.items():
            path = self.folder / "datalists" / f"{name}.json" if name else self.folder / "datalist.json"
            write_json(path, splits)
            paths[name] = str(path.resolve())
        return paths.get("", paths)

    def _test(self, recipe: Recipe, given: Mapping[str, Any]) -> None:
        parser = open_workflow(recipe.bundle, "train", ["evaluate", *recipe.overlays], given).parser
        results = FoldResults(self.calibration, build(parser, "voxel_false_positive_rate"))
        evaluator = build(parser, "validate#evaluator")
        results.attach(evaluator)
        if recipe.maps:
            CaseSaver(self.evaluation).attach(evaluator)
        try:
            with unwrap_errors():
                evaluator.run()
        except CohortError as error:
            _logger.error("%s", error)  # the other cases are there, and failures.csv says what is missing
        rows = sorted(results.rows, key=lambda row: row["case"])
        write_csv(self.folder / _SCORES, fold_columns(rows), rows)
        with atomic_path(self.folder / _STATES) as partial:
            torch.save(results.states(_detections(parser)), partial)


def _detections(parser: ConfigParser) -> Mapping[str, list[DetectionRecord]]:
    """What the test found in each data set, as its metrics counted it."""
    handlers: list[Any] = build(parser, "validate#handlers")
    return next(handler.metrics.detections for handler in handlers if isinstance(handler, EvaluationRun))


def fold_columns(rows: Sequence[Mapping[str, Any]], *more: str) -> tuple[str, ...]:
    """Columns of a table of scores: ``case``, further ones, ``dataset`` if a case names one, and the others."""
    first, *others = SCORE_COLUMNS
    return (first, *more, *(["dataset"] if any("dataset" in row for row in rows) else []), *others)
