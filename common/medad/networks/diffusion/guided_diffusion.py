# SPDX-License-Identifier: Apache-2.0
"""Guided diffusion: a diffusion network and the classifier that guides it, in one module."""

from typing import Any, ClassVar

from torch import Tensor, nn


class GuidedDiffusion(nn.Module):
    """Diffusion network with a classifier of noisy images beside it; they share no weights.

    In evaluation mode the result is that of the diffusion network, and :meth:`classify` asks the classifier. In
    training mode the result is ``(prediction, logits)`` for the same noisy image, so that one step trains both.

    Args:
        diffusion: called with noisy images and timesteps; what it predicts is a matter of the scheduler.
        classifier: called likewise; gives logits ``(B, 2)``, 0 normal and 1 abnormal.
        train_diffusion: if not, the diffusion network keeps its weights, and training mode gives ``(None, logits)``.

    Shape:
        ``(B, C, *spatial)`` to ``(B, C, *spatial)``.

    References:
        Wolleb et al., "Diffusion Models for Medical Anomaly Detection", MICCAI 2022, arXiv:2203.04306, section 2.
    """

    exported_methods: ClassVar[tuple[str, ...]] = ("classify",)
    """Methods that an export keeps beside ``forward``; they are called with the same inputs."""

    def __init__(self, diffusion: nn.Module, classifier: nn.Module, train_diffusion: bool = True) -> None:
        super().__init__()
        self.diffusion = diffusion.requires_grad_(train_diffusion)
        self.classifier = classifier
        self.train_diffusion = train_diffusion

    def forward(self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None) -> Any:
        """Predict from the noisy image; in training mode classify it, too.

        Args:
            x: ``(B, C, *spatial)`` in the range [-1, 1] plus noise.
            timesteps: ``(B,)``, from 0; without them all are 0.
            context: unused, part of MONAI's calling convention.

        Returns:
            ``(B, C, *spatial)``; in training mode also logits ``(B, 2)``.
        """
        if not self.training:
            return self.diffusion(x, timesteps)
        return self.diffusion(x, timesteps) if self.train_diffusion else None, self.classifier(x, timesteps)

    def classify(self, x: Tensor, timesteps: Tensor | None = None) -> Tensor:
        """Give logits ``(B, 2)`` of noisy images, 0 normal and 1 abnormal; arguments as in :meth:`forward`."""
        logits: Tensor = self.classifier(x, timesteps)
        return logits
