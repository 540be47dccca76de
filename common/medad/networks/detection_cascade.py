# SPDX-License-Identifier: Apache-2.0
"""Detection cascade: a network that reconstructs what is normal, and a classifier of what it could not."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DetectionCascade(nn.Module):
    """Anomaly separation network with a classifier of its candidates beside it; they share no weights.

    The result is that of the separation network, and :meth:`classify` asks the classifier about crops. The stages are
    trained one after the other; until the second one is, :meth:`classify` calls every crop a lesion, so that the first
    stage decides alone.

    Args:
        separation: from images ``(B, C, *spatial)`` to their reconstruction of that shape.
        classifier: from crops ``(N, C, *crop)`` to logits ``(N, 2)``, 0 false alarm and 1 lesion.
        classifier_size: grid that crops are resized to before; ``None`` leaves them as they are.
        train_classifier: train the second stage, and keep the first one: in training mode ``forward`` is
            :meth:`classify` then.

    Shape:
        ``(B, C, *spatial)`` to ``(B, C, *spatial)``.

    References:
        Zhang et al., "Cascaded Generative and Discriminative Learning for Microcalcification Detection", CVPR 2019,
        doi:10.1109/CVPR.2019.01286.
    """

    exported_methods: ClassVar[tuple[str, ...]] = ("classify",)
    """Methods that an export keeps beside ``forward``; they are called with the same inputs."""

    def __init__(
        self,
        separation: nn.Module,
        classifier: nn.Module,
        classifier_size: Sequence[int] | None = None,
        train_classifier: bool = False,
    ) -> None:
        super().__init__()
        self.separation = separation.requires_grad_(not train_classifier)
        self.classifier = classifier.requires_grad_(train_classifier)
        self.classifier_size = None if classifier_size is None else list(classifier_size)
        self.train_classifier = train_classifier
        self.classifier_trained: Tensor
        self.register_buffer("classifier_trained", torch.zeros(1, dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images ``x``; classify crops ``x`` while the second stage is trained."""
        if self.training and self.train_classifier:
            self.classifier_trained.fill_(1)
            return self.classify(x)
        reconstruction: Tensor = self.separation(x)
        return reconstruction

    def classify(self, x: Tensor) -> Tensor:
        """Give logits ``(N, 2)`` of crops ``x``, 0 false alarm and 1 lesion."""
        if self.classifier_size is not None:
            mode = "trilinear" if x.dim() == 5 else "bilinear"
            x = F.interpolate(x, size=self.classifier_size, mode=mode, align_corners=False)
        logits = self.classifier(x)
        certain = torch.full_like(logits[:, :1], 30.0)
        return torch.where(self.classifier_trained > 0, logits, torch.cat([-certain, certain], dim=1))
