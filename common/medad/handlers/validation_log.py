# SPDX-License-Identifier: Apache-2.0
"""Validation log: the metrics of each validation, on the console and for TensorBoard."""

from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine
from monai.handlers import StatsHandler, TensorBoardStatsHandler


class ValidationLog:
    """Log the metrics of every validation, on the first rank.

    Args:
        output_dir: folder of the log.
    """

    def __init__(self, output_dir: str | Path) -> None:
        self.handlers: list[StatsHandler | TensorBoardStatsHandler] = []
        if idist.get_rank() == 0:
            tensorboard = TensorBoardStatsHandler(log_dir=str(output_dir), iteration_log=False)
            self.handlers = [StatsHandler(iteration_log=False), tensorboard]

    def attach(self, engine: Engine) -> None:
        """Follow the evaluator of a training."""
        for handler in self.handlers:
            handler.attach(engine)
