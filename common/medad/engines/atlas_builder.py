# SPDX-License-Identifier: Apache-2.0
"""Atlas builder: normal images into the bank of an atlas."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.utils import CommonKeys

from ..keys import Keys
from ..morphology import relative_depth
from ..networks import NormativeAtlas
from .prepare_batch import on_device


class AtlasBuilder(Trainer):
    """Put every training image into the bank of an atlas; the bank of an earlier epoch is emptied.

    At the end of an epoch, if the atlas has groups, each group of similar images is averaged into one.

    ``state.output`` is ``[{"loss": distance}]``, the mean distance of the images of a batch to the most similar ones
    that were known before: it falls while the bank comes to hold what there is.

    Args:
        device: where the network is.
        max_epochs: passes over the images; more than one is of no use unless they are augmented.
        train_data_loader: batches with ``image`` ``(B, C, *spatial)``, ``foreground`` ``(B, 1, *spatial)`` and
            ``subject_id``, one string per image.
        network: the atlas.
        train_handlers: what happens beside.
    """

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: Iterable[Any],
        network: NormativeAtlas,
        train_handlers: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(
            device=torch.device(device),
            max_epochs=max_epochs,
            data_loader=train_data_loader,
            decollate=False,
        )
        self.network = network
        self._subjects: list[str] = []
        self.add_event_handler(Events.EPOCH_STARTED, self._forget)
        self.add_event_handler(Events.EPOCH_COMPLETED, self._complete)
        self._register_handlers(train_handlers or [])  # they find the whole bank

    def _forget(self) -> None:
        self.network.forget()
        self._subjects.clear()

    def _complete(self) -> None:
        self.network.pool(self.network.gather(self._subjects))

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> Any:
        images = on_device(batchdata[Keys.IMAGE], engine.state.device, False)
        depths = [relative_depth(mask, self.network.spatial_dims) for mask in batchdata[Keys.FOREGROUND]]
        depth = on_device(torch.stack(depths), engine.state.device, False)
        self._subjects += [str(name) for name in batchdata[Keys.SUBJECT_ID]]
        return [{CommonKeys.LOSS: self.network.remember(images, depth).mean()}]
