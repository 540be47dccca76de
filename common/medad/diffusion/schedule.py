# SPDX-License-Identifier: Apache-2.0
"""Noise schedule: x_l = sqrt(a_l) x_0 + sqrt(1 - a_l) n,  a_l = (1 - b_1) ... (1 - b_l).

Here l is a level, see :mod:`medad.diffusion.levels`.
"""

import torch
from monai.networks.schedulers import Scheduler
from torch import Tensor


class Schedule:
    """Noise of every level, in double precision.

    MONAI's schedulers define the process. Their tables are float32, which puts the posterior of the lowest levels off
    by 2e-4, and take over the type of the images they meet. These are computed once from the same ``betas``.

    Args:
        scheduler: scheduler of MONAI with ``betas`` ``(T,)``.

    Attributes:
        betas: variance added by the step to each level, ``(T + 1,)``; 0 for level 0.
        alpha_bars: share of the image's variance that is left, ``(T + 1,)``; 1 for level 0.

    Example:
        >>> from monai.networks.schedulers import DDPMScheduler
        >>> Schedule(DDPMScheduler(num_train_timesteps=1000)).levels
        1000

    References:
        Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239, section 2.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        betas = scheduler.betas.detach().double()
        self.betas = torch.cat([betas.new_zeros(1), betas])
        self.alpha_bars = torch.cumprod(1.0 - self.betas, dim=0)

    def __repr__(self) -> str:
        """Name what tells schedules apart, in digits that every machine agrees on."""
        betas = ", ".join(f"{float(self.betas[index]):.4g}" for index in (1, (self.levels + 1) // 2, self.levels))
        return f"{type(self).__name__}(levels={self.levels}, betas=[{betas}])"

    @property
    def levels(self) -> int:
        """Number of the highest level."""
        return len(self.betas) - 1

    def alpha_bar(self, level: int | Tensor, images: Tensor) -> Tensor:
        """Look up the share of the image at a level.

        Args:
            level: one level for all images, or ``(B,)`` with one for each, on the device of ``images``.
            images: ``(B, C, *spatial)``; gives device and number of axes.

        Returns:
            Double-precision tensor that broadcasts against ``images``.
        """
        return _look_up(self.alpha_bars, level, images)

    def beta(self, level: int | Tensor, images: Tensor) -> Tensor:
        """Look up the variance that the step to a level adds; arguments and result as for :meth:`alpha_bar`."""
        return _look_up(self.betas, level, images)


def _look_up(table: Tensor, level: int | Tensor, images: Tensor) -> Tensor:
    if isinstance(level, int):
        return table[level]  # a number on the CPU: it reaches the device with the operation that uses it
    return table.to(images.device)[level].reshape(-1, *(1,) * (images.ndim - 1))
