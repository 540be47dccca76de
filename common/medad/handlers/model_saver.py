# SPDX-License-Identifier: Apache-2.0
"""Model saver: the trained weights, ``models/model.pt``."""

from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import nn

from ..files import atomic_path


class ModelSaver:
    """Write a plain state dict when a training is complete, in one step.

    MONAI's ``CheckpointSaver`` also writes when a run fails, so that a start with a wrong setting would replace good
    weights by untrained ones, and it writes in place.

    Args:
        path: file to write.
        network: network whose weights are saved.
    """

    def __init__(self, path: str | Path, network: nn.Module) -> None:
        self.path = Path(path)
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Save at the end of the run."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Save the weights."""
        if idist.get_rank() == 0:
            with atomic_path(self.path) as partial:
                torch.save(self.network.state_dict(), partial)
