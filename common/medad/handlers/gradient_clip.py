# SPDX-License-Identifier: Apache-2.0
"""Gradient clipping by norm: g <- g min(1, c / |g|)."""

from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from torch.nn.utils import clip_grad_norm_

from ..checks import check_positive


class GradientClip:
    """Clip the gradient of all weights together before each step of the optimizer.

    In mixed precision gradients carry the factor of the loss scale. It is taken out first, else the limit would mean
    another thing at every step.

    Args:
        max_norm: largest norm, above 0.

    Raises:
        ValueError: if ``max_norm`` is out of range.

    References:
        Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
    """

    def __init__(self, max_norm: float) -> None:
        check_positive(max_norm=max_norm)
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Follow a trainer of MONAI."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Clip the gradient of this iteration."""
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        clip_grad_norm_(engine.network.parameters(), self.max_norm)
