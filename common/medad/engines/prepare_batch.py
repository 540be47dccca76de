# SPDX-License-Identifier: Apache-2.0
"""Batches of reconstructing methods: what the network gets, and what its loss compares with."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from ..checks import check_at_least, require_axes
from ..errors import InputError
from ..keys import Keys
from ..morphology import gray_dilation
from ..noise import CoarseNoise
from ..transforms.depth import DEPTH
from ..transforms.synthetic_lesions import CHANGE, LESIONS

TARGET = "target"
"""Entry of a training item: the image as it was before a corruption."""

Entries: TypeAlias = Callable[[str], Tensor]
"""Gives an entry of the batch on the device of the network."""


def on_device(value: Tensor, device: torch.device | str | None, non_blocking: bool) -> Tensor:
    """Move a tensor to the device and drop its metadata, which every operation of a network would copy."""
    return value.as_subclass(Tensor).to(device=device, non_blocking=non_blocking)


def prepare_image(
    batchdata: dict[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
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


class PrepareImages(PrepareBatch):
    """Base of what prepares a batch of training images.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.

    Raises:
        InputError: in a call, if the images have another dimension.
    """

    def __init__(self, spatial_dims: int) -> None:
        self.spatial_dims = spatial_dims

    @abstractmethod
    def prepare(self, images: Tensor, entries: Entries) -> tuple[Any, ...]:
        """Give what the network gets, and what the loss compares with; ``images`` are ``(B, C, *spatial)``.

        Two further entries may follow: what the network gets beside, by position and by name.
        """

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Prepare one batch; ``kwargs`` are part of MONAI's calling convention, and not used."""

        def entries(key: str) -> Tensor:
            return on_device(batchdata[key], device, non_blocking)

        images = entries(Keys.IMAGE)
        require_axes(images, self.spatial_dims)
        return self.prepare(images, entries)


class PrepareDenoising(PrepareImages):
    """Corrupt images inside their foreground: noisy image in, clean image and foreground out, for ``ForegroundLoss``.

    Every sample of every batch draws its own seed from torch's global generator: the seed of the run gives all of them.

    Args:
        noise: called with images ``(B, C, *spatial)`` and ``int64`` seeds ``(B,)``, returns noise of the same shape.

    Shape:
        image: ``(B, C, *spatial)``; foreground: ``(B, 1, *spatial)``.

    Raises:
        InputError: in a call, if the images have another dimension than the noise.
    """

    def __init__(self, noise: CoarseNoise) -> None:
        super().__init__(noise.spatial_dims)
        self.noise = noise

    def prepare(self, images: Tensor, entries: Entries) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Give noisy images; clean images and foreground."""
        foreground = entries(Keys.FOREGROUND).to(images.dtype)
        seeds = torch.randint(2**62, (len(images),))
        return images + foreground * self.noise(images, seeds), (images, foreground)


class PrepareLabeledDenoising(PrepareDenoising):
    """Corrupt images as :class:`PrepareDenoising` does, and give the loss their marks, too.

    Images with and without marks are corrupted alike: else the network would tell them apart by their noise.

    Args:
        noise: see :class:`PrepareDenoising`.

    Shape:
        As there; mask: ``(B, 1, *spatial)``, nonzero in lesions.

    Raises:
        InputError: as there.
    """

    def prepare(self, images: Tensor, entries: Entries) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Give noisy images; clean images, foreground and mask, for ``LabeledDenoisingLoss``."""
        noisy, target = super().prepare(images, entries)
        return noisy, (*target, _lesions(images, entries))


class PrepareReconstruction(PrepareImages):
    """Give the network the image, and the loss the image as it was before any corruption.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.

    Shape:
        image and target: ``(B, C, *spatial)``.

    Raises:
        InputError: in a call, if the images have another dimension, or if a batch has one image only: batch
            normalization of the code needs two.
    """

    def prepare(self, images: Tensor, entries: Entries) -> tuple[Tensor, Tensor]:
        """Give images, and what the network should make of them."""
        if len(images) < 2:
            raise InputError(
                "a batch of one image",
                where="training data",
                expected="at least 2 images per batch, for the batch normalization",
                remedy="Give more training images, or raise batch_size.",
            )
        return images, entries(TARGET)


class PrepareRestoration(PrepareImages):
    """Give the network images with synthetic lesions, and the loss what heals them, where they are, and the depth.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        context: further entries that the network gets by their names, such as ``expected`` and ``spread``.

    Shape:
        image and change: ``(B, C, *spatial)``; lesions and depth: ``(B, 1, *spatial)``, for
        :class:`medad.losses.LesionRestorationLoss`.

    Raises:
        InputError: in a call, if the images have another dimension.
    """

    def __init__(self, spatial_dims: int, context: Sequence[str] = ()) -> None:
        super().__init__(spatial_dims)
        self.context = tuple(context)

    def prepare(self, images: Tensor, entries: Entries) -> tuple[Any, ...]:
        """Give images; change, lesions and depth; nothing by position, and the context by name."""
        target = (entries(CHANGE), entries(LESIONS), entries(DEPTH))
        return images, target, (), {name: entries(name) for name in self.context}


class PrepareSeparation(PrepareImages):
    """Give the network the image, and the loss the image and a mask of its lesions, which may be dilated.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        dilation: how far masks are dilated along every axis, in voxels; annotation may be smaller than a lesion.

    Shape:
        image: ``(B, C, *spatial)``; mask: ``(B, 1, *spatial)``, nonzero in lesions.

    Raises:
        ValueError: if an argument is out of its range.
        InputError: in a call, if the images have another dimension.
    """

    def __init__(self, spatial_dims: int, dilation: int = 0) -> None:
        super().__init__(spatial_dims)
        check_at_least(0, dilation=dilation)
        self.dilation = dilation

    def prepare(self, images: Tensor, entries: Entries) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Give images; images and masks 0/1."""
        return images, (images, gray_dilation(_lesions(images, entries), 2 * self.dilation + 1))


def _lesions(images: Tensor, entries: Entries) -> Tensor:
    return (entries(Keys.MASK) > 0).to(images.dtype)
