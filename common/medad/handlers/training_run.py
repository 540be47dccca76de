# SPDX-License-Identifier: Apache-2.0
"""Training run: what happens beside every training, in one handler."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine
from monai.handlers import TensorBoardStatsHandler, ValidationHandler, from_engine
from monai.transforms import Randomizable
from torch import nn

from ..calibration import StoredCalibration
from ..loading import CaseLoader
from .check_cases import CheckCases
from .model_saver import ModelSaver
from .progress import ProgressBar
from .run_lock import RunLock
from .training_state import TrainingState


class TrainingRun:
    """Check the validation images, resume, validate, log the loss, show progress and save the weights of a training.

    A second training that would write the same weights at the same time is refused. What changes the weights, as a
    running mean or a limit of the gradient does, stands before it in the list of handlers.

    Args:
        output_dir: folder of the log.
        state_path: file of the state that a stopped training continues from.
        state: what belongs to the state, by name.
        model_path: file of the trained weights.
        model: network whose weights are saved, not wrapped for several devices.
        validator: evaluator of the validation, ``None`` for a training without one.
        cases: loader of the validation images, which are checked before the training.
        interval: epochs between two validations and between two saves of the state.
        seed: seed of the run.
        transform: random transforms of the training data, or ``None``.
        resume: whether to continue from ``state_path``.
        description: what is trained, as the progress bar says it.
        calibration: what is calibrated on the validation images after the training, which are counted before it.
    """

    def __init__(
        self,
        output_dir: str | Path,
        state_path: str | Path,
        state: Mapping[str, Any],
        model_path: str | Path,
        model: nn.Module,
        validator: Any,
        cases: CaseLoader,
        interval: int,
        seed: int,
        transform: Randomizable | None = None,
        resume: bool = False,
        description: str = "training",
        calibration: StoredCalibration | None = None,
    ) -> None:
        weights = Path(model_path)
        self.handlers: list[Any] = [
            RunLock(weights.with_name(f".{weights.name}.lock"), weights),
            TrainingState(state_path, state, seed, transform, interval, resume),
        ]
        if validator is not None:
            self.handlers.append(ValidationHandler(interval, validator, epoch_level=True))
        if idist.get_rank() == 0:
            self.handlers.append(
                TensorBoardStatsHandler(
                    log_dir=str(output_dir),
                    tag_name="train_loss",
                    iteration_log=10,
                    epoch_log=False,
                    output_transform=from_engine(["loss"], first=True),
                )
            )
        self.handlers += [
            ModelSaver(model_path, model),
            ProgressBar(description, "loss"),
            CheckCases(cases, calibration),
        ]

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        for handler in self.handlers:
            handler.attach(engine)
