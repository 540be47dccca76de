# SPDX-License-Identifier: Apache-2.0
"""Hybrid diffusion loss: L = mean (n^ - n)^2 + weight * T * mean w_l (n^ - n)^2, w_l that of the bound."""

from torch import Tensor, nn

from ..checks import check_at_least


class HybridDiffusionLoss(nn.Module):
    """Loss that counts low levels of noise more than the squared error alone does.

    Both terms are means over pixels and images. As timesteps are drawn at random, the sum over the levels of the bound
    is estimated by their number T times the mean. Differs from the paper of the loss in that the variance is fixed, so
    that both terms train the predicted noise.

    Args:
        weight: of the bound, at least 0; 0.001 in the paper of the loss.

    Raises:
        ValueError: if ``weight`` is negative.

    References:
        Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021, arXiv:2102.09672,
        equation 16.
    """

    def __init__(self, weight: float = 0.001) -> None:
        super().__init__()
        check_at_least(0, weight=weight)
        self.weight = weight

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Judge one batch.

        Args:
            prediction: noise ``(B, C, *spatial)``.
            target: the true noise, and the weight of each image in the bound times the number of levels,
                ``(B, 1, *ones)``.

        Returns:
            Scalar.
        """
        noise, factors = target
        errors = (prediction.float() - noise.float()).square()
        return errors.mean() + self.weight * (factors * errors).mean()
