# SPDX-License-Identifier: Apache-2.0
"""Moving average of weights: average <- (1 - m) average + m w,  m = max(momentum, 9 / (10 + iteration))."""

import torch
from ignite.engine import Engine, Events
from torch import nn

from ..checks import check_within
from ..networks import unwrap_network


class WeightAverage:
    """Keep a moving average of a network's weights.

    Ignite's ``EMAHandler`` counts its warm-up from the moment it is attached, so a resumed run would warm up again and
    end with other weights; here the warm-up follows the iteration of the run. It keeps the random initial weights out
    of the average of a short run.

    Args:
        network: network that is trained, possibly wrapped for several devices.
        averaged: a copy of it that gets the average.
        momentum: weight of the newest weights in the long run, in (0, 1].

    Raises:
        ValueError: if ``momentum`` is out of range.

    References:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control Optim. 1992.
    """

    def __init__(self, network: nn.Module, averaged: nn.Module, momentum: float = 0.01) -> None:
        check_within("(0, 1]", momentum=momentum)
        self.network = unwrap_network(network)
        self.averaged = averaged.requires_grad_(False)
        self.momentum = momentum

    def attach(self, engine: Engine) -> None:
        """Update the average after every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        """Take the weights of this iteration in; buffers such as running statistics are copied."""
        momentum = max(self.momentum, 9.0 / (10.0 + engine.state.iteration))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), momentum)
        for buffer, newest in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            buffer.copy_(newest)
