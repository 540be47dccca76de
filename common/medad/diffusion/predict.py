# SPDX-License-Identifier: Apache-2.0
"""Prediction of clean image and noise, whichever of the two a network was trained for."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_choice
from .process import Level, clean_from_noise, clean_from_velocity, noise_from_clean
from .schedule import Schedule

PREDICTION_TYPES = ("epsilon", "sample", "v_prediction")


class Prediction(NamedTuple):
    """What noisy images are made of; together the two give the noisy images again."""

    clean: Tensor
    """Images without noise, ``(B, C, *spatial)``, in the range of the network."""
    noise: Tensor
    """The noise in them, ``(B, C, *spatial)``."""


Predict = Callable[[Tensor, Level], Prediction]
"""Noisy images ``(B, C, *spatial)`` and their level to what they are made of."""


def timesteps_of(noisy: Tensor, level: Level) -> Tensor:
    """Give what a network is told about a level.

    Args:
        noisy: images at ``level``, ``(B, C, *spatial)``.
        level: at least 1.

    Returns:
        ``int64`` timesteps ``(B,)``, one below the level.
    """
    if isinstance(level, int):  # filled on the device: nothing waits for the host
        return torch.full((len(noisy),), level - 1, dtype=torch.long, device=noisy.device)
    return level - 1


def network_predictor(
    network: Callable[[Tensor, Tensor], Tensor],
    schedule: Schedule,
    prediction_type: str = "epsilon",
    clip: tuple[float, float] | None = (-1.0, 1.0),
) -> Predict:
    """Make a predictor of a network.

    The noise is derived again from the clamped image. MONAI's ``DDIMScheduler`` keeps the one that belongs to the image
    before clamping, so that the two no longer fit together.

    Args:
        network: called with noisy images and timesteps ``(B,)``.
        schedule: tables of the process.
        prediction_type: what the network gives: the noise (``"epsilon"``), the clean image (``"sample"``) or the
            velocity (``"v_prediction"``).
        clip: limits of the clean image, or ``None``.

    Returns:
        Function of noisy images and their level.

    Raises:
        ValueError: if ``prediction_type`` is another one.
    """
    check_choice(PREDICTION_TYPES, prediction_type=prediction_type)

    def predict(noisy: Tensor, level: Level) -> Prediction:
        clean = network(noisy, timesteps_of(noisy, level)).to(noisy.dtype)
        if prediction_type == "epsilon":
            clean = clean_from_noise(schedule, noisy, clean, level)
        elif prediction_type == "v_prediction":
            clean = clean_from_velocity(schedule, noisy, clean, level)
        if clip is not None:
            clean = clean.clamp(*clip)
        return Prediction(clean, noise_from_clean(schedule, noisy, clean, level))

    return predict
