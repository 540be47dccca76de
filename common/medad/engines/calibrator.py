# SPDX-License-Identifier: Apache-2.0
"""Calibrator: the trained network over held-out normal images, and ``models/calibration.json`` from it."""

import logging
from collections.abc import Sequence
from functools import reduce
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.inferers import Inferer
from monai.transforms import Compose
from torch import nn

from ..calibration import Calibration, GroupedCalibrationBuilder, StoredCalibration, few_images, rough_threshold
from ..errors import InputError
from ..keys import Keys
from ..loading import CaseLoader
from ..networks import weights_hash
from ..networks.unwrapping import unwrap_network
from ..networks.weights import load_weights
from .evaluator import AnomalyEvaluator

_logger = logging.getLogger(__name__)


class Calibrator:
    """Run the trained network over normal images and store what normal looks like.

    Images of several data sets give a calibration over all of them and one for each data set, in one file.

    Uses the inference path itself (same preprocessing, inferer and post-processing up to the map), so that a threshold
    means the same here and there. A normal image that fails stops the calibration: its rates would not be what they
    say.

    Args:
        dataloader: a :class:`medad.loading.CaseLoader` of all held-out normal images.
        network: the method's network; gets the weights of ``weights_path``.
        inferer: the method's inferer.
        postprocessing: transforms up to map and score.
        calibration: file to write, weights and score settings that it belongs to.
        device: where the network runs.
        amp: whether to use automatic mixed precision.
        handlers: further handlers, such as a progress bar.

    Raises:
        InputError: if an image is abnormal.
        ValueError: if the calibration names no file or no weights.
    """

    def __init__(
        self,
        dataloader: CaseLoader,
        network: nn.Module,
        inferer: Inferer,
        postprocessing: Compose,
        calibration: StoredCalibration,
        device: torch.device | str,
        amp: bool = False,
        handlers: Sequence[Any] | None = None,
    ) -> None:
        datalist = dataloader.dataset.data
        abnormal = sum(item.get(Keys.LABEL) == 1 for item in datalist)
        if abnormal:
            raise InputError(
                f"{abnormal} of {len(datalist)} images are abnormal",
                where="calibration",
                expected="normal images only: thresholds say how often those are called abnormal",
                remedy="Leave validate#datalist#split at calibration.",
            )
        self.datalist = datalist
        if calibration.path is None or calibration.weights_path is None:
            raise ValueError("calibration must name its file and the weights that it belongs to")
        self.asked = calibration
        self.path, self.weights_path, self.settings = calibration.path, calibration.weights_path, calibration.settings
        self.network = unwrap_network(network)
        self.device = device
        self.evaluator = AnomalyEvaluator(
            device, dataloader, self.network, inferer, postprocessing, val_handlers=handlers, amp=amp
        )
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._update)

    def run(self) -> None:
        """Calibrate and write the file.

        Raises:
            InputError: if there are no weights.
            CohortError: if a normal image could not be processed.
        """
        idist.barrier()  # the first rank may still be writing the weights
        load_weights(self.network, self.weights_path, self.device)
        self.builder = GroupedCalibrationBuilder(self.datalist)
        self.evaluator.run()
        builders: list[GroupedCalibrationBuilder] = idist.all_gather(self.builder)
        if idist.get_rank() == 0:
            calibration = reduce(_merged, builders).build(weights_hash(self.weights_path), self.settings)
            calibration.save(self.path)
            for name, group in calibration.groups.items() if len(calibration.groups) > 1 else ():
                self._report(f"calibration of the data set {name}", group)
            self._report("calibration", calibration)
            _logger.info("calibration: %s", self.path)
        idist.barrier()

    def _report(self, what: str, calibration: Calibration) -> None:
        _logger.info("%s: %d normal images of %d subjects", what, calibration.images, calibration.subjects)
        rate, guarantee = self.asked.image_false_positive_rate, self.asked.guarantee
        if promise := calibration.promise(rate, guarantee):
            _logger.info("%s: %s", what, promise)
        for note in (
            few_images(calibration.images, calibration.subjects, rate, guarantee),
            rough_threshold(calibration, self.asked.voxel_false_positive_rate),
        ):
            if note is not None:
                _logger.warning("%s: %s", what, note)

    def _update(self, engine: Engine) -> None:
        for case in engine.state.output:
            self.builder.update(case)


def _merged(first: GroupedCalibrationBuilder, second: GroupedCalibrationBuilder) -> GroupedCalibrationBuilder:
    first.merge(second)
    return first
