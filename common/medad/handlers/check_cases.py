# SPDX-License-Identifier: Apache-2.0
"""Check of the validation images before training begins, not hours later."""

import logging
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader

from ..errors import InputError

_logger = logging.getLogger(__name__)


class CheckCases:
    """Read all cases of a loader once when a run starts.

    The images that a trained network is calibrated on must all be usable, or its error rates would not be what they
    say; an image that is not would end the training at its first validation.

    Args:
        dataloader: a :class:`medad.loading.CaseLoader`.
    """

    def __init__(self, dataloader: DataLoader[Any]) -> None:
        self.dataloader = dataloader

    def attach(self, engine: Engine) -> None:
        """Check when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Check all cases, over all ranks.

        Raises:
            InputError: if cases cannot be used.
        """
        found = [failure for batch in self.dataloader for failure in batch["failures"]]
        failures = [failure for part in idist.all_gather(found) for failure in part]
        for failure in failures:
            _logger.error("%s: %s", failure["case"], failure["failure"])
        if failures:
            raise InputError(
                f"{len(failures)} images cannot be used. First: {failures[0]['failure']}",
                where="validation images",
                expected="images that can all be used, since the calibration is made with them",
                remedy="Repair these images, or take them out of the data.",
            )
