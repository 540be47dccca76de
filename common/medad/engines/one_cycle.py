# SPDX-License-Identifier: Apache-2.0
"""One cycle of the learning rate, for trainings that are resumed, prolonged or driven from outside."""

from typing import Any

from torch.optim.lr_scheduler import OneCycleLR

_LENGTH = ("total_steps", "_schedule_phases")


class OneCycle(OneCycleLR):
    """PyTorch's ``OneCycleLR``, whose end is no error and whose length is that of this run.

    PyTorch's raises when it is stepped beyond its end, as labeling and federated applications do, which give a trainer
    more epochs than the configuration; and the state of an earlier run brings the length of that run.

    Args:
        optimizer: whose rate is set.
        max_lr: the highest rate.
        total_steps: iterations of the run; after them the rate stays as it is.
        pct_start: share of them in which the rate rises.

    References:
        Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        arXiv:1708.07120, section 3.
    """

    def step(self, epoch: int | None = None) -> None:
        """Go on by one iteration."""
        if self.last_epoch + 1 < self.total_steps:
            super().step(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Give where it stands."""
        return {name: value for name, value in super().state_dict().items() if name not in _LENGTH}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where another run stood."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name not in _LENGTH})
