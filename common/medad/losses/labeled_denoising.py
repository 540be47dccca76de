# SPDX-License-Identifier: Apache-2.0
"""Denoising with few labels: a denoising loss, and one that keeps the residuals of marked lesions apart."""

import torch
from torch import Tensor, nn

from ..checks import check_at_least


class LabeledDenoisingLoss(nn.Module):
    """Denoise images without marks, and rebuild marked lesions badly.

    L = denoising(x_hat, x) over images without a mark + weight * separation, with residuals counted in the foreground.

    Args:
        denoising: called with a prediction and the pair of image and foreground, such as :class:`ForegroundLoss`.
        separation: called with a prediction and the pair of image and mask: :class:`TTestSeparationLoss`.
        weight: of the separation, at least 0; with 0 the marked images do not matter.

    Raises:
        ValueError: if ``weight`` is negative.
    """

    def __init__(self, denoising: nn.Module, separation: nn.Module, weight: float = 1.0) -> None:
        super().__init__()
        check_at_least(0, weight=weight)
        self.denoising = denoising
        self.separation = separation
        self.weight = weight

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Judge one batch.

        Args:
            prediction: ``(B, C, *spatial)``.
            target: clean image ``(B, C, *spatial)``, foreground and mask ``(B, 1, *spatial)``, each 0/1.

        Returns:
            Scalar.
        """
        image, foreground, mask = target
        unmarked = (mask.flatten(1).amax(dim=1) == 0).to(foreground.dtype)
        unmarked = unmarked.reshape(-1, *[1] * (foreground.ndim - 1))
        inside = torch.where(foreground > 0, prediction, image.to(prediction.dtype))
        loss: Tensor = self.denoising(prediction, (image, foreground * unmarked))
        return loss + self.weight * self.separation(inside, (image, mask * foreground))
