# SPDX-License-Identifier: Apache-2.0
"""Evaluator of cohorts: one bad case never costs the others."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer
from monai.transforms import Compose
from torch import nn
from torch.utils.data import DataLoader

from ..errors import MedadError, is_out_of_memory, reason
from ..keys import Keys
from ..loading import cases_by_shape, collate_cases
from .postprocess import postprocess_case
from .prepare_batch import prepare_image

_logger = logging.getLogger(__name__)


class CohortError(MedadError):
    """The run is over, its results are written, and some cases are missing from them."""


class AnomalyEvaluator(SupervisedEvaluator):
    """MONAI's evaluator for cohorts of single cases.

    Differs from ``SupervisedEvaluator`` in what happens when something is wrong. A case that cannot be read or
    processed, or for which the memory is too small, is recorded in ``state.failures`` and left out. Where only the
    calibration is missing, the case keeps its anomaly map and score and gets no mask. ``run`` raises at the end, when
    everything else is written.

    Args:
        device: where the network runs.
        val_data_loader: a :class:`medad.loading.CaseLoader`.
        network: the method's network.
        inferer: the method's inferer.
        postprocessing: dictionary transforms from the inferer's output to map, score and mask.
        val_handlers: what happens with the results; they find one dictionary per case in ``state.output``.
        amp: whether to use automatic mixed precision.
        kwargs: further arguments of ``SupervisedEvaluator``.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: DataLoader[Any],
        network: nn.Module,
        inferer: Inferer | None = None,
        postprocessing: Compose | None = None,
        val_handlers: Sequence[Any] | None = None,
        amp: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            device=torch.device(device),
            val_data_loader=val_data_loader,
            network=network,
            inferer=inferer,
            postprocessing=postprocessing,
            val_handlers=val_handlers,
            amp=amp,
            prepare_batch=prepare_image,
            decollate=False,  # cases come as a list: their masks have their own shapes
            **kwargs,
        )
        self.state.failures = []
        self.state.cases = 0
        self.state.seconds_per_case = 0.0

    def run(self, global_epoch: int = 1) -> None:
        """Process the cohort.

        Args:
            global_epoch: epoch of the training that this run belongs to.

        Raises:
            CalibrationError: after the run, if maps and scores were written but masks could not be.
            CohortError: after the run, if cases failed.
        """
        self.state.failures, self.state.cases = [], 0
        self.state.calibration_error = None
        if not idist.all_reduce(self.state.epoch_length):
            _logger.info("nothing to do: every case is finished")
        if self.state.epoch_length:
            super().run(global_epoch)
        else:  # tables may be left to write, and other ranks that have cases wait for this one where results are joined
            self.state.epoch = global_epoch
            try:
                for event in (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED):
                    self.fire_event(event)
            except Exception as error:
                self._handle_exception(error)
        self._raise_what_is_missing()

    def _raise_what_is_missing(self) -> None:
        """Raise the same error on every rank, once all have written: the end of one rank stops the others."""
        outcome = (self.state.cases, self.state.failures, self.state.calibration_error)
        cases, failures, errors = zip(*idist.all_gather(outcome), strict=True)
        for error in errors:
            if error is not None:
                raise error
        failed = [failure for part in failures for failure in part]
        if failed:
            raise CohortError(
                f"{len(failed)} of {sum(cases)} cases failed; see failures.csv. "
                f"First: {failed[0][Keys.CASE]}: {failed[0]['failure']}"
            )

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
        """Process one batch, or only record its failures when no case of it could be read."""
        started = time.perf_counter()
        for failure in batchdata["failures"]:
            self._fail(failure[Keys.CASE], failure["failure"])
        outputs = [case for part in cases_by_shape(batchdata["cases"]) for case in self._processed(engine, part)]
        self.state.batch, self.state.output = batchdata, outputs
        self.state.seconds_per_case = (time.perf_counter() - started) / max(1, len(batchdata["cases"]))
        self.state.cases += len(self.state.output)
        return self.state.output

    def _processed(self, engine: SupervisedEvaluator, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Process cases of one shape together or, where memory is too small for that, one by one."""
        self.state.batch = collate_cases(cases)
        try:
            super()._iteration(engine, self.state.batch)
            outputs: list[dict[str, Any]] = self.state.output
            return outputs
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # outside of the handler, whose error holds what the memory is full of
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(cases) > 1:
            _logger.warning("too little memory for %d images at once: one by one", len(cases))
            return [output for case in cases for output in self._processed(engine, [case])]
        shape = tuple(cases[0][Keys.IMAGE].shape)
        self._fail(
            str(cases[0][Keys.CASE]),
            f"an image of shape {shape} for the network needs more memory than {self.state.device} has. Use a smaller "
            "image_size or slice_batch_size, or another device.",
        )
        return []

    def _fail(self, case: str, message: str) -> None:
        _logger.error("%s: %s", case, message)
        self.state.cases += 1
        self.state.failures.append({str(Keys.CASE): case, "failure": message})

    def _register_postprocessing(self, posttrans: Callable[..., Any]) -> None:
        """Post-process case by case, so that a failure stays with its case."""

        @self.on(IterationEvents.MODEL_COMPLETED)
        def _postprocess(engine: SupervisedEvaluator) -> None:
            predictions = self.state.output[Keys.PRED]
            outputs = []
            for item, prediction in zip(self.state.batch["cases"], predictions, strict=True):
                try:
                    case, calibration_error = postprocess_case(item, prediction, posttrans)
                except Exception as error:  # whatever happens to one case, the others go on
                    _logger.debug("%s failed", item[Keys.CASE], exc_info=True)
                    self._fail(str(item[Keys.CASE]), reason(error))
                    continue
                self.state.calibration_error = calibration_error or self.state.calibration_error
                outputs.append(case)
            self.state.output = outputs
