# SPDX-License-Identifier: Apache-2.0
"""Spread builder: the residuals of the trained network in normal training images, into its normative spread."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.inferers import Inferer
from monai.transforms import Compose
from torch import Tensor, nn

from ..anomaly_map import SplitAnomalyMapd
from ..anomaly_map.spread import slices_of
from ..files import atomic_path
from ..keys import Keys
from ..loading import CaseLoader
from ..networks import load_weights, spread_of, unwrap_network
from ..networks.atlas.microaggregation import require_subjects
from ..transforms import SlicesOfVolume
from .evaluator import AnomalyEvaluator


class SpreadBuilder:
    """Run the trained network over the training images and add what its maps look like there to its weights.

    Uses the inference path itself, so that residuals are those that a new image has. Of a volume those slices count
    that a 2D network is trained on. Residuals of an earlier run are replaced. At the end, if the spread has groups,
    each group of maps of similar images is averaged into one.

    Args:
        dataloader: a :class:`medad.loading.CaseLoader` of all normal training images.
        network: the method's network, with a normative spread; gets the weights of ``weights_path``.
        inferer: the method's inferer.
        slices: which slices of a volume count.
        weights_path: the trained weights, which are replaced by the same ones and the spread.
        device: where the network runs.
        amp: whether to use automatic mixed precision.
        handlers: further handlers, such as a progress bar.

    Raises:
        ValueError: if the network has no normative spread.
    """

    def __init__(
        self,
        dataloader: CaseLoader,
        network: nn.Module,
        inferer: Inferer,
        slices: SlicesOfVolume,
        weights_path: str | Path,
        device: torch.device | str,
        amp: bool = False,
        handlers: Sequence[Any] | None = None,
    ) -> None:
        spread = spread_of(network)
        if spread is None:
            raise ValueError("the network has no normative spread to fill")
        self.spread = spread
        self.network = unwrap_network(network)
        self.items = dataloader.dataset.data
        self.slices = slices
        self.weights_path = Path(weights_path)
        self.device = device
        self.evaluator = AnomalyEvaluator(
            device,
            dataloader,
            self.network,
            inferer,
            Compose([SplitAnomalyMapd()]),
            val_handlers=handlers,
            amp=amp,
        )
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._remember)
        self._subjects: list[str] = []

    def run(self) -> None:
        """Fill the spread and write the weights.

        Raises:
            InputError: if there are no weights, or fewer subjects than images in a group.
            CohortError: if a training image could not be processed.
        """
        idist.barrier()  # the first rank may still be writing the weights
        load_weights(self.network, self.weights_path, self.device, with_spread=False)
        require_subjects({str(item[Keys.SUBJECT_ID]) for item in self.items}, self.spread.group_size)
        self.spread.forget()
        self._subjects.clear()
        self.evaluator.run()
        self.spread.pool(self.spread.gather(self._subjects))
        if idist.get_rank() == 0:
            with atomic_path(self.weights_path) as partial:
                torch.save(self.network.state_dict(), partial)
        idist.barrier()

    def _remember(self, engine: Engine) -> None:
        for case in engine.state.output:
            image, residual = (
                slices_of(case[key].as_subclass(Tensor), self.spread.spatial_dims)
                for key in (Keys.IMAGE, Keys.ANOMALY_MAP)
            )
            if case[Keys.IMAGE].ndim > self.spread.spatial_dims + 1:
                chosen = self.slices.chosen(case)
                image, residual = image[chosen], residual[chosen]
            self.spread.remember(image, residual)
            self._subjects += [str(case[Keys.SUBJECT_ID])] * len(image)
