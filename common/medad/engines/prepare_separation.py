# SPDX-License-Identifier: Apache-2.0
"""From a batch of images with marked lesions to one step of a training that keeps lesions and normal images apart."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from ..data import require_axes
from ..diffusion import gray_dilation
from ..keys import Keys
from .prepare_batch import on_device


class PrepareSeparation(PrepareBatch):
    """Give the network the image, and the loss the image and a mask of its lesions, which may be dilated.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        dilation: how far masks are dilated along every axis, in voxels; annotation may be smaller than a lesion.

    Raises:
        ValueError: if an argument is out of its range.
        InputError: in a call, if the images have another dimension.
    """

    def __init__(self, spatial_dims: int, dilation: int = 0) -> None:
        if dilation < 0:
            raise ValueError(f"dilation={dilation}: must be at least 0.")
        self.spatial_dims = spatial_dims
        self.dilation = dilation

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Prepare one batch.

        Args:
            batchdata: collated cases with ``image`` ``(B, C, *spatial)`` and ``mask`` ``(B, 1, *spatial)``, nonzero in
                lesions.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: unused, part of MONAI's calling convention.

        Returns:
            Images, and images and masks 0/1.
        """
        images = on_device(batchdata[Keys.IMAGE], device, non_blocking)
        require_axes(images, self.spatial_dims)
        mask = (on_device(batchdata[Keys.MASK], device, non_blocking) > 0).to(images.dtype)
        return images, (images, gray_dilation(mask, 2 * self.dilation + 1))
