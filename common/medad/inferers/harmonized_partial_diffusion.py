# SPDX-License-Identifier: Apache-2.0
"""Harmonized partial diffusion: what stays different while the normal parts of an image keep coming back.

m_l = p(x_0^, x) |x_0^ - x|  at several levels l,   A = harmonic mean of the m_l
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from ..checks import check_at_least, check_odd, check_positive
from ..diffusion import (
    Predict,
    Step,
    add_noise,
    from_network_range,
    harmonic_mean,
    harmonize,
    highest_level,
    read_levels,
    soft_mask,
    to_network_range,
)
from ..noise import Noise
from .partial_diffusion import PartialDiffusionInferer


class HarmonizedPartialDiffusionInferer(PartialDiffusionInferer):
    """Noise and denoise as :class:`PartialDiffusionInferer` does, harmonize on the way, and average over time.

    At some levels the predicted image is compared with the original. Where they agree, the original takes its place,
    and the chain goes on from there with the noise it started with. So healthy tissue is kept, and the network is left
    to redraw what it does not know.

    The mask of a harmonization is relative to the largest difference in its image. The anomaly map is not: the
    published code divides every map by its maximum, so that each image looks abnormal somewhere.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        scheduler: the process that the network was trained with, as for :class:`PartialDiffusionInferer`.
        noise: the noise of the training; called with images ``(B, C, *spatial)`` and ``int64`` seeds ``(B,)``.
        start_levels: how many noising steps an image goes through; with several, maps and reconstructions are averaged.
            Also as text.
        harmonization_levels: where the original comes back; also as text. Those above a start level are not met from
            there. Empty: plain partial diffusion, averaged over time.
        map_interval: levels between two maps that count for the result, from the start down. Those of the
            harmonizations and that of the end result count, too.
        mask_kernel_size: edge of the cube of the dilation in voxels, odd.
        perceptual: called with predicted and original images in the range of the network, ``(B, C, *spatial)``; gives a
            factor of the map in [0, 1], ``(B, 1, *spatial)``, such as :class:`medad.networks.PerceptualDistance`.
            ``None``: the factor is 1.
        eps: smallest difference that counts in the harmonic mean, see :func:`medad.diffusion.harmonic_mean`.
        mode: ``"ancestral"``, as published, or ``"ddim"``.
        steps: network calls from each start level in ``"ddim"``; the levels above are visited in addition.
        repeats: how often this is done with other noise; maps and reconstructions are averaged.
        residual: ``"l1"``, ``"l2"`` or a function, as in :class:`ReconstructionInferer`.
        value_range: values of an image that the network sees as -1 and 1, as in training.
        seed: seed of the noise.
        trained_levels: the highest level that the network was trained for; ``None``: all of the scheduler.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction, both in the range of the images.

    Raises:
        ValueError: if an argument does not fit.

    References:
        Bercea, Wiestler, Rueckert and Schnabel, "Diffusion Models with Implicit Guidance for Medical Anomaly
        Detection", MICCAI 2024, arXiv:2403.08464.
    """

    modes: ClassVar[tuple[str, ...]] = ("ancestral", "ddim")  # one step has nothing to harmonize

    def __init__(
        self,
        spatial_dims: int,
        scheduler: DDPMScheduler,
        noise: Noise,
        start_levels: int | Sequence[int] | str = (250,),
        harmonization_levels: int | Sequence[int] | str = (200, 150, 100, 50),
        map_interval: int = 50,
        mask_kernel_size: int = 13,
        perceptual: Callable[[Tensor, Tensor], Tensor] | None = None,
        eps: float = 1e-6,
        mode: str = "ancestral",
        steps: int = 25,
        repeats: int = 1,
        residual: str | Callable[[Tensor, Tensor], Tensor] = "l1",
        value_range: Sequence[float] = (0.0, 1.0),
        seed: int = 0,
        trained_levels: int | None = None,
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(
            spatial_dims,
            scheduler,
            noise,
            start_levels=start_levels,
            mode=mode,
            steps=steps,
            repeats=repeats,
            residual=residual,
            value_range=value_range,
            seed=seed,
            trained_levels=trained_levels,
            slice_batch_size=slice_batch_size,
        )
        check_at_least(1, map_interval=map_interval)
        check_odd(mask_kernel_size=mask_kernel_size)
        check_positive(eps=eps)
        levels = read_levels("harmonization_levels", harmonization_levels, highest_level(self.schedule, trained_levels))
        if levels and min(levels) > max(self.start_levels):
            raise ValueError(
                f"harmonization_levels={list(levels)}: all lie above the highest start level, {max(self.start_levels)}."
            )
        self.harmonization_levels = tuple(sorted(set(levels), reverse=True))
        self.map_interval = map_interval
        self.mask_kernel_size = mask_kernel_size
        self.perceptual = perceptual
        self.eps = eps

    def _map_levels(self, start: int) -> set[int]:
        return {*range(start, 0, -self.map_interval), *(level for level in self.harmonization_levels if level <= start)}

    def _grid(self, start: int, steps: int) -> list[int]:
        return sorted({*super()._grid(start, steps), *self._map_levels(start)}, reverse=True)

    def _compare_denoised(self, images: Tensor, network: nn.Module, positions: Tensor) -> Tensor:
        inside, predict = to_network_range(images, self.value_range), self._predictor(network)
        runs = [self._run(images, inside, predict, start, noise) for start, noise in self._runs(inside, positions)]
        return torch.stack(runs).mean(dim=0)

    def _run(
        self, images: Tensor, inside: Tensor, predict: Predict, start: int, noise: Callable[[int], Tensor]
    ) -> Tensor:
        """Denoise and harmonize once; ``inside`` are the images in the range of the network."""
        kept, map_levels = noise(start), self._map_levels(start)
        maps: list[Tensor] = []

        def on_step(step: Step) -> Tensor:
            is_end = step.level == 0 and step.origin not in self.harmonization_levels  # which counts below
            if step.origin not in map_levels or is_end:
                return step.state
            clean = step.prediction.clean
            maps.append(self._weighted_difference(images, inside, clean))
            if step.origin not in self.harmonization_levels:
                return step.state
            mask = soft_mask(maps[-1], self.mask_kernel_size)
            return harmonize(self.schedule, inside, clean, mask, kept, step.level)

        result = self._denoise(add_noise(self.schedule, inside, kept, start), start, predict, noise, on_step)
        maps.append(self._weighted_difference(images, inside, result))
        reconstruction = from_network_range(result, self.value_range)
        return torch.cat([harmonic_mean(torch.cat(maps, dim=1), self.eps), reconstruction], dim=1)

    def _weighted_difference(self, images: Tensor, inside: Tensor, clean: Tensor) -> Tensor:
        difference = self.difference(images, from_network_range(clean, self.value_range))
        return difference if self.perceptual is None else self.perceptual(clean, inside) * difference
