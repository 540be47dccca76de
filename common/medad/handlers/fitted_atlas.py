# SPDX-License-Identifier: Apache-2.0
"""Fitted atlas: the bank of this training, whatever weights it starts from."""

from collections.abc import Sequence

from ignite.engine import Engine, Events

from ..transforms import ExpectedImaged


class FittedAtlas:
    """Give atlases the images back that they were fitted with, when weights of an earlier training were loaded.

    Args:
        transforms: what was fitted; none where the network has no atlas.
    """

    def __init__(self, transforms: Sequence[ExpectedImaged] = ()) -> None:
        self.transforms = tuple(transforms)

    def attach(self, engine: Engine) -> None:
        """Act before the first iteration, and after everything that happens at the start of a run."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Restore the banks."""
        for transform in self.transforms:
            transform.restore()
