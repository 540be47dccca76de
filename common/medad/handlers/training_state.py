# SPDX-License-Identifier: Apache-2.0
"""Training state: an interrupted training ends with the same weights as an uninterrupted one."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.transforms import Randomizable
from monai.utils import set_determinism
from torch import nn

from ..checks import require_flag
from ..errors import InputError
from ..files import atomic_path
from ..networks import unwrap_network
from ..networks.weights import read_tensors

_logger = logging.getLogger(__name__)


class TrainingState:
    """Save everything that training needs every few epochs, and continue from there.

    All random numbers of an epoch follow from ``seed`` and the number of the epoch: the order of the samples, the
    augmentation and the noise. So an epoch is the same whether the run was interrupted before it or not.

    Args:
        path: file of the state, such as ``<ckpt_dir>/training_state.pt``.
        objects: what to save, by name: objects with ``state_dict`` and ``load_state_dict``.
        transform: random transforms of the training data, or ``None``.
        seed: seed of the run.
        interval: epochs between two saves.
        resume: whether to continue from ``path``.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        seed: int,
        transform: Randomizable | None = None,
        interval: int = 1,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        self.objects = objects
        self.transform = transform
        self.seed = seed
        self.interval = interval
        require_flag(self.path.parent, resume=resume)
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_STARTED, self.seed_epoch)
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self.save)
        engine.add_event_handler(Events.COMPLETED, self.save)

    def load(self, engine: Engine) -> None:
        """Continue from the saved state, if asked to."""
        if not self.resume:
            return
        if not self.path.is_file():
            _logger.info("resume: %s is not there, training starts from the beginning", self.path)
            return
        state = read_tensors(self.path, engine.state.device)
        try:
            for name, item in self._items(engine).items():
                item.load_state_dict(state["objects"][name])
        except Exception as error:
            raise InputError(
                f"training state does not fit ({str(error).splitlines()[0]})",
                where=self.path,
                expected="the state of a run with this configuration",
                remedy="Resume with the configuration of that run, or set resume to False.",
            ) from None
        engine.state.epoch = state["epoch"]
        engine.state.iteration = state["epoch"] * engine.state.epoch_length
        _logger.info("resume: training continues after epoch %d", state["epoch"])

    def seed_epoch(self, engine: Engine) -> None:
        """Make the random numbers of this epoch a function of the seed and its number."""
        # a large odd step keeps runs with neighboring seeds apart; ranks draw different samples and noise
        seed = (self.seed * 1_000_003 + engine.state.epoch * 1009 + idist.get_rank()) % 2**32
        set_determinism(seed, use_deterministic_algorithms=None)
        if self.transform is not None:
            self.transform.set_random_state(seed=seed)

    def save(self, engine: Engine) -> None:
        """Save the state after this epoch."""
        if idist.get_rank() != 0:
            return
        state = {
            "epoch": engine.state.epoch,
            "objects": {name: item.state_dict() for name, item in self._items(engine).items()},
        }
        with atomic_path(self.path) as partial:
            torch.save(state, partial)

    def _items(self, engine: Engine) -> dict[str, Any]:
        """What to save: the objects and, in mixed precision, the trainer's loss scale."""
        items = {
            name: unwrap_network(item) if isinstance(item, nn.Module) else item for name, item in self.objects.items()
        }
        scaler = getattr(engine, "scaler", None)
        return items if scaler is None else {**items, "scaler": scaler}
