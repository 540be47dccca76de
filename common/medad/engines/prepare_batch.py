# SPDX-License-Identifier: Apache-2.0
"""Batches of reconstructing methods: what the network gets, and what its loss compares with."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import PrepareBatch
from torch import Tensor

from ..checks import check_at_least, require_axes
from ..errors import InputError
from ..keys import Keys
from ..morphology import gray_dilation
from ..noise import CoarseNoise

TARGET = "target"
"""Entry of a training item: the image as it was before a corruption."""


def on_device(value: Any, device: torch.device | str | None, non_blocking: bool) -> Tensor:
    """Move a tensor to the device and drop its metadata, which every operation of a network would copy."""
    plain = value.as_tensor() if isinstance(value, MetaTensor) else value
    return plain.to(device=device, non_blocking=non_blocking)


def prepare_image(
    batchdata: dict[str, Any],
    device: torch.device | str | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Take the images of a batch: at test time nothing else reaches the network.

    Args:
        batchdata: collated cases.
        device: where the network is.
        non_blocking: whether the copy may overlap with computation.
        kwargs: unused, part of MONAI's calling convention.

    Returns:
        The images, and no target.
    """
    return batchdata[Keys.IMAGE].to(device=device, non_blocking=non_blocking), None


class PrepareDenoising(PrepareBatch):
    """Corrupt images inside their foreground: noisy image in, clean image and foreground out.

    Every sample of every batch draws its own seed from torch's global generator: the seed of the run gives all of them.

    Args:
        noise: called with images ``(B, C, *spatial)`` and ``int64`` seeds ``(B,)``, returns noise of the same shape.

    Raises:
        InputError: in a call, if the images have another dimension than the noise.
    """

    def __init__(self, noise: CoarseNoise) -> None:
        self.noise = noise

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Corrupt one batch.

        Args:
            batchdata: collated cases with image ``(B, C, *spatial)`` and foreground ``(B, 1, *spatial)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: unused, part of MONAI's calling convention.

        Returns:
            Noisy images, and the pair of clean images and foreground that ``ForegroundLoss`` expects.
        """
        images = on_device(batchdata[Keys.IMAGE], device, non_blocking)
        require_axes(images, self.noise.spatial_dims)
        foreground = on_device(batchdata[Keys.FOREGROUND], device, non_blocking).to(images.dtype)
        seeds = torch.randint(2**62, (len(images),))
        return images + foreground * self.noise(images, seeds), (images, foreground)


class PrepareReconstruction(PrepareBatch):
    """Give the network the image, and the loss the image as it was before any corruption.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.

    Raises:
        InputError: in a call, if the images have another dimension, or if a batch has one image only: batch
            normalization of the code needs two.
    """

    def __init__(self, spatial_dims: int) -> None:
        self.spatial_dims = spatial_dims

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Prepare one batch.

        Args:
            batchdata: collated cases with ``image`` and ``target``, each ``(B, C, *spatial)``.
            device: where the network is.
            non_blocking: whether the copy may overlap with computation.
            kwargs: unused, part of MONAI's calling convention.

        Returns:
            Images, and what the network should make of them.
        """
        images = on_device(batchdata[Keys.IMAGE], device, non_blocking)
        require_axes(images, self.spatial_dims)
        if len(images) < 2:
            raise InputError(
                "a batch of one image",
                where="training data",
                expected="at least 2 images per batch, for the batch normalization",
                remedy="Give more training images, or raise batch_size.",
            )
        return images, on_device(batchdata[TARGET], device, non_blocking)


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
        check_at_least(0, dilation=dilation)
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
