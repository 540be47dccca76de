# SPDX-License-Identifier: Apache-2.0
"""From a batch of images to one step of a diffusion training whose loss knows the variational bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.schedulers import DDPMScheduler
from monai.networks.schedulers.ddpm import DDPMPredictionType
from torch import Tensor

from ..diffusion import Schedule, bound_weight
from ..noise import Noise
from .prepare_diffusion import PrepareDiffusion


class PrepareHybridDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the target is that one and a weight.

    Args:
        noise: as in :class:`PrepareDiffusion`.
        scheduler: the same; must predict the noise. Its ``variance_type`` is that of the bound.
        train_timesteps: the same.
        value_range: the same.

    Raises:
        ValueError: if an argument does not fit.
        InputError: in a call, if the images have another dimension than the noise.
    """

    def __init__(
        self,
        noise: Noise,
        scheduler: DDPMScheduler,
        train_timesteps: int | None = None,
        value_range: Sequence[float] = (0.0, 1.0),
    ) -> None:
        super().__init__(noise, scheduler, train_timesteps, value_range)
        if scheduler.prediction_type != DDPMPredictionType.EPSILON:
            raise ValueError(f"prediction_type={str(scheduler.prediction_type)!r}: the bound needs 'epsilon'.")
        self.schedule = Schedule(scheduler)
        self.variance = str(scheduler.variance_type)
        bound_weight(self.schedule, 1, self.schedule.betas, self.variance)  # refuses learned ones

    def __call__(  # type: ignore[override]  # the loss takes whatever it is made for
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Any, ...], dict[str, Any]]:
        """Prepare one batch.

        Args:
            batchdata: collated cases with image ``(B, C, *spatial)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: further arguments of the copy.

        Returns:
            Images in the range of the network; noise and, ``(B, 1, *ones)``, what the squared error of each image
            counts in the bound, times the number of levels; no arguments; ``noise`` and ``timesteps`` for the inferer.
        """
        images, target, arguments, named = super().__call__(batchdata, device, non_blocking, **kwargs)
        weight = bound_weight(self.schedule, named["timesteps"] + 1, images, self.variance)
        return images, (target, (self.schedule.levels * weight).float()), arguments, named
