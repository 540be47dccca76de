# SPDX-License-Identifier: Apache-2.0
"""Variational bound of a diffusion with fixed variance: a weighted squared error of the predicted noise.

KL( N(m, v) || N(m^, s) ) = |m - m^|^2 / (2 s) + const,   m - m^ = -b_l / sqrt((1 - b_l)(1 - a_l)) (n - n^)
bound of level l          = b_l^2 / (2 s_l (1 - b_l)(1 - a_l)) (n - n^)^2 + const

The term of level 1 is -log p(x_0 | x_1), which has the same form. Constants depend on the process alone.

References:
    1. Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239, equation 12.
    2. Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021, arXiv:2102.09672, equations
       4 to 7; section 3.1 says why level 1 takes the variance of level 2 where that of level 1 is 0.
"""

import torch
from torch import Tensor

from .process import Level, posterior_variance
from .schedule import Schedule


def bound_weight(schedule: Schedule, level: Level, images: Tensor, variance: str = "fixed_small") -> Tensor:
    """Say how much a squared error of the noise counts in the bound, in nats.

    Args:
        schedule: tables of the process.
        level: at least 1.
        images: ``(B, C, *spatial)``; gives device and number of axes.
        variance: of the steps of the network, ``"fixed_small"`` or ``"fixed_large"``.

    Returns:
        Double-precision tensor that broadcasts against ``images``.

    Raises:
        ValueError: if ``variance`` is another one.
    """
    here, beta = schedule.alpha_bar(level, images), schedule.beta(level, images)
    if variance == "fixed_small":
        level = max(level, 2) if isinstance(level, int) else torch.clamp(level, min=2)
    scatter = posterior_variance(schedule, level, images, variance)
    return beta.square() / (2.0 * scatter * (1.0 - beta) * (1.0 - here))
