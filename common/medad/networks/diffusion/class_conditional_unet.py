# SPDX-License-Identifier: Apache-2.0
"""Class-conditional diffusion U-Net: told the class of an image, or that it is unknown."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ...checks import check_within
from ...keys import NORMAL
from .diffusion_unet import DiffusionUNet


class ClassConditionalUNet(DiffusionUNet):
    """The diffusion U-Net with an embedding of the class added to that of the time.

    There is one class more than there are labels: *unknown*. In training mode labels are replaced by it at random, so
    that one network predicts with and without them.

    Args:
        args: as for :class:`DiffusionUNet`.
        num_classes: number of labels, from 0.
        condition_dropout: share of the training images whose label is replaced by *unknown*, from 0 to 1.
        kwargs: as for :class:`DiffusionUNet`.

    Shape:
        As for :class:`DiffusionUNet`.

    Raises:
        ValueError: if an argument or the size of an image does not fit.

    References:
        Ho and Salimans, "Classifier-Free Diffusion Guidance", NeurIPS Workshop 2021, arXiv:2207.12598, algorithm 1.
    """

    exported_methods: ClassVar[tuple[str, ...]] = ("predict_normal",)
    """Methods that an export keeps beside ``forward``; they are called with the same inputs."""

    def __init__(self, *args: Any, num_classes: int = 2, condition_dropout: float = 0.1, **kwargs: Any) -> None:
        check_within("[0, 1]", condition_dropout=condition_dropout)
        super().__init__(*args, num_class_embeds=num_classes + 1, **kwargs)
        self.unknown = num_classes
        self.condition_dropout = condition_dropout

    def forward(  # type: ignore[override]  # the condition is a label, not a sequence to attend to
        self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Predict from the noisy image.

        Args:
            x: ``(B, in_channels, *spatial)`` in the range [-1, 1] plus noise.
            timesteps: ``(B,)``, from 0; without them all are 0.
            context: labels ``(B,)``, 0 normal and 1 abnormal; without them all are unknown. (MONAI's training inferer
                calls its condition so.)

        Returns:
            ``(B, out_channels, *spatial)``.
        """
        unknown = _labels(self.unknown, x, timesteps)
        labels = unknown if context is None else context
        if self.training:
            dropped = torch.rand(x.shape[0], device=x.device) < self.condition_dropout
            labels = torch.where(dropped, unknown, labels)
        return super().forward(x, timesteps, class_labels=labels)

    def predict_normal(self, x: Tensor, timesteps: Tensor | None = None) -> Tensor:
        """Predict as if every image were normal; arguments and result as in :meth:`forward`."""
        return self(x, timesteps, _labels(NORMAL, x, timesteps))


def _labels(label: int, x: Tensor, timesteps: Tensor | None) -> Tensor:
    """Give every image the same label."""
    if timesteps is None:
        return torch.full((x.shape[0],), label, dtype=torch.long, device=x.device)
    # computed, not made: a traced network would make tensors on the device of the tracing
    return (0 * timesteps + label).long()
