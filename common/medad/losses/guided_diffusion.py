# SPDX-License-Identifier: Apache-2.0
"""Diffusion and classification of one noisy image: L = mean (n^ - n)^2 - log p(class | x_l, l)."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss


class GuidedDiffusionLoss(nn.Module):
    """Squared error of a diffusion network plus cross-entropy of the classifier beside it.

    The two networks share no weights, and each weight has a step size of its own in Adam: training by the sum is two
    trainings at once, and a factor between the terms would change nothing.

    References:
        Wolleb et al., "Diffusion Models for Medical Anomaly Detection", MICCAI 2022, arXiv:2203.04306, section 2.
    """

    def forward(self, outputs: tuple[Tensor | None, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
        """Judge one batch.

        Args:
            outputs: prediction ``(B, C, *spatial)``, or ``None`` where the diffusion network is not trained, and logits
                ``(B, classes)``.
            target: what should be predicted, and labels ``(B,)``.

        Returns:
            Scalar.
        """
        prediction, logits = outputs
        expected, labels = target
        loss = cross_entropy(logits.float(), labels)
        return loss if prediction is None else loss + mse_loss(prediction.float(), expected.float())
