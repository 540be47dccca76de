# SPDX-License-Identifier: Apache-2.0
"""Regularized reconstruction loss: L = l(x_hat, x) + weight * penalty(terms)."""

from torch import Tensor, nn

from ..checks import check_at_least


class RegularizedLoss(nn.Module):
    """Loss of a network that gives, in training, more than its reconstruction.

    Args:
        loss: compares the reconstruction with the image.
        penalty: called with what follows the reconstruction in the network's output.
        weight: of the penalty, at least 0.

    Raises:
        ValueError: if ``weight`` is negative.
    """

    def __init__(self, loss: nn.Module, penalty: nn.Module, weight: float) -> None:
        super().__init__()
        check_at_least(0, weight=weight)
        self.loss = loss
        self.penalty = penalty
        self.weight = weight

    def forward(self, outputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """Judge one batch.

        Args:
            outputs: reconstruction ``(B, C, *spatial)``, then the arguments of the penalty.
            target: image ``(B, C, *spatial)``.

        Returns:
            Scalar.
        """
        reconstruction, *terms = outputs
        loss: Tensor = self.loss(reconstruction, target)
        return loss + self.weight * self.penalty(*terms)
