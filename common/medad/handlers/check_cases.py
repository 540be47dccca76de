# SPDX-License-Identifier: Apache-2.0
"""Check of the validation images before training begins, not hours later."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..calibration import StoredCalibration, by_dataset, few_images, images_per_subject
from ..errors import InputError
from ..keys import ABNORMAL, Keys
from ..loading import CaseLoader

_logger = logging.getLogger(__name__)


class CheckCases:
    """Read all cases of a loader once when a run starts.

    The images that a trained network is calibrated on must all be usable, or its error rates would not be what they
    say; an image that is not would end the training at its first validation.

    Args:
        dataloader: loader of the cases.
        calibration: what will be calibrated on the normal ones of them; a warning says if they are too few.
    """

    def __init__(self, dataloader: CaseLoader, calibration: StoredCalibration | None = None) -> None:
        self.dataloader = dataloader
        self.calibration = calibration

    def attach(self, engine: Engine) -> None:
        """Check when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Check all cases, over all ranks.

        Raises:
            InputError: if cases cannot be used.
        """
        if self.calibration is not None and idist.get_rank() == 0:
            _warn_of_few(self.dataloader.dataset.data, self.calibration)
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


def _warn_of_few(items: Sequence[Mapping[str, Any]], asked: StoredCalibration) -> None:
    normal = [item for item in items if item.get(Keys.LABEL) != ABNORMAL]
    groups = {f"data set {name}": group for name, group in by_dataset(normal).items() if len(group) < len(normal)}
    for name, group in {**groups, "calibration": normal}.items():
        subjects = len(images_per_subject(group))
        note = few_images(len(group), subjects, asked.image_false_positive_rate, asked.guarantee)
        if note is not None:
            _logger.warning("%s: %s", name, note)
