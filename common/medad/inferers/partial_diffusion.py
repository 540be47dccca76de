# SPDX-License-Identifier: Apache-2.0
"""Partial diffusion: the anomaly is what changes when an image is noised part of the way and denoised.

x_l = sqrt(a_l) x + sqrt(1 - a_l) n,   x_l -> ... -> x^,   A = mean over channels of |x - x^|^p
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar

import torch
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from ..checks import check_at_least, check_choice
from ..diffusion import (
    OnStep,
    Predict,
    Schedule,
    add_noise,
    check_value_range,
    denoise_ancestral,
    denoise_ddim,
    from_network_range,
    highest_level,
    level_grid,
    network_predictor,
    noise_seeds,
    posterior_variance,
    read_levels,
    to_network_range,
)
from ..noise import Noise
from .reconstruction import ReconstructionInferer


class PartialDiffusionInferer(ReconstructionInferer):
    """Noise an image to a level, denoise it, and compare.

    ``"ancestral"``: every level down to the image, with fresh noise of the same kind at each, as published.
    ``"ddim"``: a few larger steps without further noise.
    ``"one_step"``: the network's first estimate of the clean image, one call.

    A field of noise is a function of seed, repeat, level and slice, the same for every case. So the map of an image
    does not depend on other images, and a volume's slices have fields of their own.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        scheduler: the process that the network was trained with: its ``betas``, ``prediction_type``,
            ``variance_type``, and limits of the clean image in ``clip_sample`` and ``clip_sample_values``.
        noise: called with images ``(B, C, *spatial)`` and ``int64`` seeds ``(B,)``; the noise of the training.
        start_levels: how many noising steps an image goes through; with several, the reconstructions are averaged. Also
            as text, ``"250"`` or ``"50, 100"``, which is all that a client's field can hold.
        mode: ``"ancestral"``, ``"ddim"`` or ``"one_step"``.
        steps: network calls from each start level in ``"ddim"``; without effect in the other modes.
        repeats: how often this is done with other noise; the reconstruction is the mean.
        residual: ``"l1"``, ``"l2"`` or a function, as in :class:`ReconstructionInferer`.
        value_range: values of an image that the network sees as -1 and 1, as in training.
        seed: seed of the noise.
        trained_levels: the highest level that the network was trained for, and that is allowed; ``None``: all of the
            scheduler.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction, both in the range of the images.

    Raises:
        ValueError: if an argument does not fit.

    References:
        1. Wyatt et al., "AnoDDPM: Anomaly Detection with Denoising Diffusion Probabilistic Models using Simplex Noise",
           CVPR Workshops 2022, section 3.
        2. Behrendt et al., "Patched Diffusion Models for Unsupervised Anomaly Detection in Brain MRI", MIDL 2023,
           arXiv:2303.03758 (one step); Behrendt et al., "Guided Reconstruction with Conditioned Diffusion Models for
           Unsupervised Anomaly Detection in Brain MRIs", arXiv:2312.04215 (mean over levels).
    """

    modes: ClassVar[tuple[str, ...]] = ("ancestral", "ddim", "one_step")

    def __init__(
        self,
        spatial_dims: int,
        scheduler: DDPMScheduler,
        noise: Noise,
        start_levels: int | Sequence[int] | str = (250,),
        mode: str = "ancestral",
        steps: int = 25,
        repeats: int = 1,
        residual: str | Callable[[Tensor, Tensor], Tensor] = "l2",
        value_range: Sequence[float] = (0.0, 1.0),
        seed: int = 0,
        trained_levels: int | None = None,
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(spatial_dims, residual, slice_batch_size)
        if noise.spatial_dims != spatial_dims:
            raise ValueError(f"noise with {noise.spatial_dims} spatial axes: {spatial_dims} are expected.")
        check_choice(self.modes, mode=mode)
        check_at_least(1, repeats=repeats)
        self.schedule = Schedule(scheduler)
        self.start_levels = read_levels("start_levels", start_levels, highest_level(self.schedule, trained_levels))
        if not self.start_levels:
            raise ValueError("start_levels=[]: at least one level is expected.")
        self.noise = noise
        self.mode = mode
        self.steps = steps if mode == "ddim" else None
        if mode == "ddim":
            level_grid(min(self.start_levels), steps)  # says what is wrong with the steps
        self.repeats = repeats
        self.value_range = check_value_range(value_range)
        self.seed = seed
        self.prediction_type = str(scheduler.prediction_type)
        self.variance = str(scheduler.variance_type)
        posterior_variance(self.schedule, 1, self.schedule.betas, self.variance)  # refuses learned ones
        low, high = scheduler.clip_sample_values
        self.clip = (float(low), float(high)) if scheduler.clip_sample else None

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Reconstruct images of their own, and compare; all of a batch meet the same noise."""
        first = torch.zeros(1, dtype=torch.long, device=images.device)
        return self._compare_denoised(images, network, first)

    def infer_slices(self, images: Tensor, network: nn.Module, positions: Tensor) -> Tensor:
        """Reconstruct slices of volumes, and compare; the noise of a slice belongs to its position."""
        return self._compare_denoised(images, network, positions)

    def reconstruct(self, images: Tensor, predict: Predict, positions: Tensor) -> Tensor:
        """Noise and denoise images, from every level, as often as asked for.

        Args:
            images: ``(B, C, *spatial)`` in the range of the network.
            predict: what noisy images are made of.
            positions: ``int64`` ``(B,)``, or ``(1,)`` if all images have the same.

        Returns:
            Mean of the reconstructions, ``(B, C, *spatial)``.
        """
        total = torch.zeros_like(images)
        for start, noise in self._runs(images, positions):
            noisy = add_noise(self.schedule, images, noise(start), start)
            total = total + self._denoise(noisy, start, predict, noise)
        return total / (self.repeats * len(self.start_levels))

    def _compare_denoised(self, images: Tensor, network: nn.Module, positions: Tensor) -> Tensor:
        denoised = self.reconstruct(to_network_range(images, self.value_range), self._predictor(network), positions)
        return self.compare(images, from_network_range(denoised, self.value_range))

    def _predictor(self, network: nn.Module) -> Predict:
        return network_predictor(network, self.schedule, self.prediction_type, self.clip)

    def _runs(self, images: Tensor, positions: Tensor) -> Iterator[tuple[int, Callable[[int], Tensor]]]:
        """Give the start level of every run, and the noise of its levels."""
        for repeat in range(self.repeats):
            noise = partial(self._field, images[: len(positions)], positions, repeat)
            for start in self.start_levels:
                yield start, noise

    def _field(self, images: Tensor, positions: Tensor, repeat: int, level: int) -> Tensor:
        return self.noise(images, noise_seeds(self.seed, repeat, level, positions))

    def _grid(self, start: int, steps: int) -> list[int]:
        """Give the levels that ``"ddim"`` visits."""
        return level_grid(start, steps)

    def _denoise(
        self,
        state: Tensor,
        start: int,
        predict: Predict,
        noise: Callable[[int], Tensor],
        on_step: OnStep | None = None,
    ) -> Tensor:
        if self.mode == "one_step":
            return predict(state, start).clean
        if self.steps is not None:
            return denoise_ddim(predict, self.schedule, state, self._grid(start, self.steps), on_step)
        return denoise_ancestral(predict, self.schedule, state, start, noise, self.variance, on_step)
