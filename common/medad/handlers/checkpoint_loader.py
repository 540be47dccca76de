# SPDX-License-Identifier: Apache-2.0
"""Checkpoint loader: trained weights, before a run."""

from pathlib import Path

from ignite.engine import Engine, Events
from torch import nn

from ..networks import load_weights


class ModelCheckpointLoader:
    """Load ``models/model.pt`` at the start of a run, strictly, with an error that says what to do.

    The name contains ``CheckpointLoader`` because MONAI's federated client switches off what is called so: there the
    server provides the weights.

    Args:
        path: file with a plain state dict.
        network: network that gets the weights.
    """

    def __init__(self, path: str | Path, network: nn.Module) -> None:
        self.path = path
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Load when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Load the weights."""
        load_weights(self.network, self.path, engine.state.device)
