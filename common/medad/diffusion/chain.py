# SPDX-License-Identifier: Apache-2.0
"""Reverse process: ancestral sampling, and DDIM sampling and inversion, along falling or rising levels.

ancestral:  x_{l-1} = mean of the posterior + sqrt(v_l) n,  a fresh n at every step, none at the last
DDIM:       x_k = sqrt(a_k) x_0^ + sqrt(1 - a_k) n^,        any k, below (decoding) or above (encoding)

What a network says, the noise, and what else happens at a step are functions that are passed in.

References:
    1. Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239, algorithm 2.
    2. Song, Meng and Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, arXiv:2010.02502, equation 12 with
       sigma = 0.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

from .predict import Predict, Prediction
from .process import Level, add_noise, posterior_mean, posterior_variance
from .schedule import Schedule


class Step(NamedTuple):
    """What a chain has reached."""

    origin: int
    """Level that the step came from."""
    level: int
    """Level of ``state``."""
    state: Tensor
    """Images at that level, ``(B, C, *spatial)``."""
    prediction: Prediction
    """What the images one step before were made of."""


OnStep = Callable[[Step], Tensor]
"""Called after every step; returns the state to go on with."""
NoiseOf = Callable[[int], Tensor]
"""Noise for images that arrive at a level, ``(B, C, *spatial)``."""


def ancestral_step(
    schedule: Schedule, clean: Tensor, noisy: Tensor, level: Level, noise: Tensor | None, variance: str = "fixed_small"
) -> Tensor:
    """Draw images one level below.

    Args:
        schedule: tables of the process.
        clean: predicted images, ``(B, C, *spatial)``.
        noisy: images at ``level``.
        level: at least 1.
        noise: fresh noise, or ``None`` for the mean alone, as at the last step.
        variance: ``"fixed_small"`` or ``"fixed_large"``.

    Returns:
        Images at ``level - 1``, ``(B, C, *spatial)``.
    """
    mean = posterior_mean(schedule, clean, noisy, level)
    if noise is None:
        return mean
    return mean + posterior_variance(schedule, level, noisy, variance).sqrt().to(noisy.dtype) * noise


def ddim_step(schedule: Schedule, prediction: Prediction, level: Level) -> Tensor:
    """Put predicted image and noise together for another level, without chance.

    Args:
        schedule: tables of the process.
        prediction: what the images are made of.
        level: level to go to, higher or lower; at 0 the result is the predicted image.

    Returns:
        Images at ``level``, ``(B, C, *spatial)``.
    """
    return add_noise(schedule, prediction.clean, prediction.noise, level)


def denoise_ancestral(
    predict: Predict,
    schedule: Schedule,
    state: Tensor,
    start: int,
    noise: NoiseOf,
    variance: str = "fixed_small",
    on_step: OnStep | None = None,
) -> Tensor:
    """Walk from a level to the image, one level at a time.

    Args:
        predict: what noisy images are made of.
        schedule: tables of the process.
        state: images at level ``start``, ``(B, C, *spatial)``.
        start: at least 1.
        noise: gives the noise of each level that is reached; not called for level 0.
        variance: ``"fixed_small"`` or ``"fixed_large"``.
        on_step: called after every step; what it returns is the state to go on with.

    Returns:
        Images at level 0, ``(B, C, *spatial)``.
    """
    for level in range(start, 0, -1):
        prediction = predict(state, level)
        fresh = noise(level - 1) if level > 1 else None
        state = ancestral_step(schedule, prediction.clean, state, level, fresh, variance)
        if on_step is not None:
            state = on_step(Step(level, level - 1, state, prediction))
    return state


def denoise_ddim(
    predict: Predict, schedule: Schedule, state: Tensor, levels: Sequence[int], on_step: OnStep | None = None
) -> Tensor:
    """Walk along a grid of levels without chance.

    Args:
        predict: what noisy images are made of.
        schedule: tables of the process.
        state: images at level ``levels[0]``, ``(B, C, *spatial)``.
        levels: levels to visit, such as :func:`level_grid` gives.
        on_step: called after every step; what it returns is the state to go on with.

    Returns:
        Images at level ``levels[-1]``, ``(B, C, *spatial)``.
    """
    for level, following in pairwise(levels):
        prediction = predict(state, level)
        state = ddim_step(schedule, prediction, following)
        if on_step is not None:
            state = on_step(Step(level, following, state, prediction))
    return state


def encode_ddim(predict: Predict, schedule: Schedule, images: Tensor, levels: Sequence[int]) -> Tensor:
    """Walk from images up a grid of levels without chance; :func:`denoise_ddim` on the same grid leads back.

    An image has no noise of its own, so that its first noise is what the network sees in it at level 1. The way up asks
    at the lower end of each step and the way down at the upper one: the two differ by an error that falls with the
    length of the steps.

    Args:
        predict: what noisy images are made of.
        schedule: tables of the process.
        images: ``(B, C, *spatial)`` in the range of the network.
        levels: rising, from 0.

    Returns:
        Images at level ``levels[-1]``, ``(B, C, *spatial)``.

    References:
        Wolleb et al., "Diffusion Models for Medical Anomaly Detection", MICCAI 2022, arXiv:2203.04306, algorithm 1.
    """
    state = ddim_step(schedule, Prediction(images, predict(images, 1).noise), levels[1])
    return denoise_ddim(predict, schedule, state, levels[1:])
