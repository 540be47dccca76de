# SPDX-License-Identifier: Apache-2.0
"""Trainer: MONAI's, whose output of an iteration is its loss."""

from typing import Any

from monai.engines import SupervisedTrainer
from monai.utils import CommonKeys
from torch import Tensor


class AnomalyTrainer(SupervisedTrainer):
    """MONAI's trainer, whose ``state.output`` is ``[{"loss": loss}]``.

    Differs from ``SupervisedTrainer``: images, targets and predictions of a batch are not kept after its iteration.
    Handlers for the loss, and those that MONAI itself attaches (tracking, MONAI Label, federated learning), expect a
    list with one dictionary per image. ``decollate`` makes one, but takes every batch apart to repeat the same loss.

    Example:
        A handler reads the loss by ``monai.handlers.from_engine(["loss"], first=True)``.
    """

    def _iteration(self, engine: SupervisedTrainer, batchdata: dict[str, Tensor]) -> Any:
        output = super()._iteration(engine, batchdata)
        return [{CommonKeys.LOSS: output[CommonKeys.LOSS]}]
