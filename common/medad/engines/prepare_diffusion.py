# SPDX-License-Identifier: Apache-2.0
"""Batches of diffusion methods: noise, timesteps and what the network should predict."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from monai.engines import DiffusionPrepareBatch
from monai.networks.schedulers import DDPMScheduler
from monai.networks.schedulers.ddpm import DDPMPredictionType
from torch import Tensor

from ..checks import check_within, require_axes
from ..diffusion import Schedule, bound_weight, check_value_range, to_network_range
from ..keys import Keys
from ..noise import Noise
from .prepare_batch import Entries, on_device

Prepared: TypeAlias = tuple[Tensor, Any, tuple[Any, ...], dict[str, Any]]
"""Images in the range of the network, target, no arguments, and named arguments of the inferer."""


class PrepareDiffusion(DiffusionPrepareBatch):
    """Draw noise and a timestep for every image of a batch; MONAI's ``DiffusionInferer`` does the rest.

    Differs from the AnoDDPM code, which draws one field for a whole batch: here every sample of every batch has its own
    seed, drawn from torch's global generator, so that the seed of the run gives all of them.

    Args:
        noise: called with images ``(B, C, *spatial)`` and ``int64`` seeds ``(B,)``, returns noise of the same shape.
        scheduler: its ``prediction_type`` says what the network should predict: the noise (``"epsilon"``), the clean
            image (``"sample"``) or the velocity (``"v_prediction"``).
        train_timesteps: timesteps are drawn from 0 to this number less one; by default all of the scheduler.
        value_range: values of an image that the network sees as -1 and 1.

    Raises:
        ValueError: if an argument does not fit.
        InputError: in a call, if the images have another dimension than the noise.

    References:
        Wyatt et al., "AnoDDPM", CVPR Workshops 2022, section 3.
    """

    def __init__(
        self,
        noise: Noise,
        scheduler: DDPMScheduler,
        train_timesteps: int | None = None,
        value_range: Sequence[float] = (0.0, 1.0),
    ) -> None:
        timesteps = scheduler.num_train_timesteps if train_timesteps is None else train_timesteps
        check_within(f"[1, {scheduler.num_train_timesteps}]", train_timesteps=timesteps)
        super().__init__(num_train_timesteps=timesteps)
        self.noise = noise
        self.scheduler = scheduler
        self.value_range = check_value_range(value_range)

    def get_noise(self, images: Tensor) -> Tensor:
        """Draw one field per image."""
        return self.noise(images, torch.randint(2**62, (len(images),)))

    def get_target(self, images: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Say what the network should predict."""
        kind = self.scheduler.prediction_type
        if kind == DDPMPredictionType.EPSILON:
            return noise
        if kind == DDPMPredictionType.SAMPLE:
            return images
        return self.scheduler.get_velocity(images, noise, timesteps)

    def extend(self, prepared: Prepared, entries: Entries) -> Prepared:
        """Add to what is prepared; what a subclass replaces.

        Args:
            prepared: images ``(B, C, *spatial)`` in the range of the network, target, no arguments, and ``noise`` and
                ``timesteps`` for the inferer.
            entries: gives an entry of the batch on the device of the network.
        """
        return prepared

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> Prepared:
        """Prepare one batch with images ``(B, C, *spatial)``; ``kwargs`` are further arguments of the copy."""

        def entries(key: str) -> Tensor:
            return on_device(batchdata[key], device, non_blocking)

        images = entries(Keys.IMAGE)
        require_axes(images, self.noise.spatial_dims)
        scaled = to_network_range(images, self.value_range)
        return self.extend(super().__call__({Keys.IMAGE: scaled}, device, non_blocking, **kwargs), entries)


class PrepareHybridDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the target is that one and a weight.

    The weight, ``(B, 1, *ones)``, is what the squared error of an image counts in the bound, times the levels.

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

    def extend(self, prepared: Prepared, entries: Entries) -> Prepared:
        """Add the weights to the target."""
        images, target, arguments, named = prepared
        weight = bound_weight(self.schedule, named["timesteps"] + 1, images, self.variance)
        return images, (target, (self.schedule.levels * weight).float()), arguments, named


class PrepareGuidedDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the target is that one and the labels.

    Arguments and errors are those of :class:`PrepareDiffusion`; the batch has labels ``(B,)``.
    """

    def extend(self, prepared: Prepared, entries: Entries) -> Prepared:
        """Add the labels to the target."""
        images, target, arguments, named = prepared
        return images, (target, entries(Keys.LABEL)), arguments, named


class PrepareConditionedDiffusion(PrepareDiffusion):
    """Noise and timestep for every image, as in :class:`PrepareDiffusion`; the network is told the label.

    Arguments and errors are those of :class:`PrepareDiffusion`; the batch has labels ``(B,)``.
    """

    def extend(self, prepared: Prepared, entries: Entries) -> Prepared:
        """Add the labels as the ``condition`` of the inferer."""
        images, target, arguments, named = prepared
        return images, target, arguments, {**named, "condition": entries(Keys.LABEL)}
