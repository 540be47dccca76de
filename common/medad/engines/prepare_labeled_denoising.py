# SPDX-License-Identifier: Apache-2.0
"""Training of a denoising autoencoder with a few images in which lesions are marked."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from ..keys import Keys
from ..noise import CoarseNoise
from .prepare_batch import PrepareDenoising, on_device


class PrepareLabeledDenoising(PrepareBatch):
    """Corrupt images as :class:`PrepareDenoising` does, and give the loss their marks, too.

    Images with and without marks are corrupted alike: else the network would tell them apart by their noise.

    Args:
        noise: see :class:`PrepareDenoising`.

    Raises:
        InputError: in a call, if the images have another dimension than the noise.
    """

    def __init__(self, noise: CoarseNoise) -> None:
        self.denoising = PrepareDenoising(noise)

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Corrupt one batch.

        Args:
            batchdata: collated cases with image ``(B, C, *spatial)``, foreground and mask ``(B, 1, *spatial)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: unused, part of MONAI's calling convention.

        Returns:
            Noisy images, and what ``LabeledDenoisingLoss`` expects: clean images, foreground and mask.
        """
        noisy, (images, foreground) = self.denoising(batchdata, device, non_blocking)
        mask = (on_device(batchdata[Keys.MASK], device, non_blocking) > 0).to(images.dtype)
        return noisy, (images, foreground, mask)
