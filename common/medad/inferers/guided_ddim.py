# SPDX-License-Identifier: Apache-2.0
"""Guided DDIM: the anomaly is what changes when an image is encoded by DDIM and decoded as a normal one.

x -> ... -> x_L -> ... -> x^,   A = sum over channels of |x - x^|^p
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from ..checks import check_choice, check_within
from ..diffusion import (
    Predict,
    Schedule,
    check_value_range,
    classifier_free_guided,
    classifier_guided,
    denoise_ddim,
    encode_ddim,
    from_network_range,
    highest_level,
    level_grid,
    network_predictor,
    to_network_range,
)
from ..errors import InputError
from ..keys import NORMAL
from .reconstruction import ReconstructionInferer

GUIDANCE = {"classifier": "classify", "classifier_free": "predict_normal"}
"""Kinds of guidance, and the method of the network that each asks."""


class GuidedDDIMInferer(ReconstructionInferer):
    """Encode an image to a level by DDIM, decode it with guidance toward *normal*, and compare.

    Encoding keeps what makes the image this one; guidance changes what makes it abnormal. Both walk on one grid of
    levels, so that without guidance (``guidance_scale=0``) the image comes back, up to an error that falls with more
    steps. Differs from the published code, which reads one state at two levels and begins with a little noise: here
    nothing is drawn, so that the same image always has the same map.

    ``"classifier"``: the network has a method ``classify``, such as :class:`medad.networks.GuidedDiffusion`.
    ``"classifier_free"``: it has ``predict_normal``, such as :class:`medad.networks.ClassConditionalUNet`.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        scheduler: the process that the network was trained with: its ``betas``, ``prediction_type``, and limits of the
            clean image in ``clip_sample`` and ``clip_sample_values``; they hold before the guidance.
        level: how far the image is encoded (L), from 1 to the levels that are trained.
        steps: network calls on the way up, and again on the way down; at most ``level``.
        guidance_scale: how strong the guidance is (s), at least 0.
        guidance: ``"classifier"`` or ``"classifier_free"``.
        residual: ``"l1"`` or ``"l2"``: absolute or squared difference, summed over the channels; or a function, as in
            :class:`ReconstructionInferer`.
        value_range: values of an image that the network sees as -1 and 1, as in training.
        trained_levels: the highest level that the network was trained for, and that is allowed; ``None``: all of the
            scheduler.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction, both in the range of the images.

    Raises:
        ValueError: if an argument does not fit.
        InputError: in a call, if the network lacks the method that the guidance asks.

    References:
        1. Wolleb et al., "Diffusion Models for Medical Anomaly Detection", MICCAI 2022, arXiv:2203.04306, algorithm 1.
        2. Ho and Salimans, "Classifier-Free Diffusion Guidance", NeurIPS Workshop 2021, arXiv:2207.12598.
    """

    uses_forward_only: ClassVar[bool] = False

    def __init__(
        self,
        spatial_dims: int,
        scheduler: DDPMScheduler,
        level: int = 500,
        steps: int = 500,
        guidance_scale: float = 100.0,
        guidance: str = "classifier",
        residual: str | Callable[[Tensor, Tensor], Tensor] = "l1",
        value_range: Sequence[float] = (0.0, 1.0),
        trained_levels: int | None = None,
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(spatial_dims, residual, slice_batch_size)
        check_choice(tuple(GUIDANCE), guidance=guidance)
        check_within("[0, inf)", guidance_scale=guidance_scale)
        self.schedule = Schedule(scheduler)
        highest = highest_level(self.schedule, trained_levels)
        if not isinstance(level, int) or not 1 <= level <= highest:
            raise ValueError(f"level={level}: a whole number between 1 and {highest}, which are trained, is expected.")
        level_grid(level, steps)  # says what is wrong with the steps
        self.level = level
        self.steps = steps
        self.guidance_scale = float(guidance_scale)
        self.guidance = guidance
        self.value_range = check_value_range(value_range)
        self.prediction_type = str(scheduler.prediction_type)
        low, high = scheduler.clip_sample_values
        self.clip = (float(low), float(high)) if scheduler.clip_sample else None

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Make images normal, and compare."""
        levels = level_grid(self.level, self.steps)
        predict = self._predictor(network)
        encoded = encode_ddim(predict, self.schedule, to_network_range(images, self.value_range), levels[::-1])
        decoded = denoise_ddim(self._guided(predict, network), self.schedule, encoded, levels)
        return self.compare(images, from_network_range(decoded, self.value_range))

    def compare(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        """Take the residual, the sum over the channels where that of :class:`ReconstructionInferer` is the mean."""
        compared = super().compare(images, reconstruction)
        if isinstance(self.residual, str):
            compared = torch.cat([images.shape[1] * compared[:, :1], reconstruction], dim=1)
        return compared

    def _predictor(self, ask: Callable[[Tensor, Tensor], Tensor]) -> Predict:
        return network_predictor(ask, self.schedule, self.prediction_type, self.clip)

    def _guided(self, predict: Predict, network: Any) -> Predict:
        method = GUIDANCE[self.guidance]
        if not hasattr(network, method):
            raise InputError(
                f"{type(network).__name__} has no method {method}",
                where=f"guidance {self.guidance!r}",
                expected="the network that was trained for this guidance",
                remedy="Use the overlays that the weights were trained with.",
            )
        ask = getattr(network, method)
        if self.guidance == "classifier":
            return classifier_guided(predict, ask, self.schedule, NORMAL, self.guidance_scale)
        return classifier_free_guided(predict, self._predictor(ask), self.guidance_scale)
