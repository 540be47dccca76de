# SPDX-License-Identifier: Apache-2.0
"""Foreground mask: brighter than a fraction of the robust range, small pieces dropped, holes filled.

``foreground(x) = any_c [ image_c(x) > low_c + threshold * (high_c - low_c) ]``
with ``low_c``, ``high_c`` the 1st and 99th percentile of channel ``c``.
"""

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.utils import convert_to_dst_type

from ..checks import check_channel_first, check_spatial_dims, check_within
from ..errors import InputError
from ..keys import Keys
from ..morphology import drop_small, fill_holes

LOW, HIGH = 0.01, 0.99
"""The quantiles that are the robust ends of an image."""


def foreground_mask(
    image: torch.Tensor, spatial_dims: int, threshold: float = 0.1, min_component: float = 0.1
) -> torch.Tensor:
    """Find the object on a darker background.

    Range, threshold and pieces belong to the whole image, also for the volume of a 2D method, because an empty slice
    has no range of its own; holes are then filled slice by slice. An image in which nothing is brighter than its
    background (a constant one) has an empty foreground. Where the object fills the frame (skin, histology) there is
    no background to tell apart: use no foreground there. Deterministic; the pieces are found on the CPU.

    Args:
        image: image ``(C, *spatial)``; ``*spatial`` has ``spatial_dims`` axes, or 3 where ``spatial_dims`` is 2 (a
            volume seen as slices along its last axis).
        spatial_dims: 2 or 3.
        threshold: fraction of the robust range above which a voxel is object, in (0, 1).
        min_component: pieces smaller than this fraction of the largest are dropped, in (0, 1]; 1 keeps the largest
            only (and its equals). Two lungs or the two temporal lobes of one slice are one object in two pieces.

    Returns:
        Boolean mask ``(1, *spatial)`` on the image's device.

    Raises:
        ValueError: if an argument is out of its range or the image has another number of axes.
    """
    _check_settings(spatial_dims, threshold, min_component)
    x = image.as_subclass(torch.Tensor)
    check_channel_first(x, spatial_dims)
    bright = torch.zeros(x.shape[1:], dtype=torch.bool, device=x.device)
    for channel in x:
        values = channel.float()
        low, high = nearest_rank(values, LOW), nearest_rank(values, HIGH)
        high = torch.where(high > low, high, values.max())  # an object smaller than 1 % of the frame
        bright |= values > low + threshold * (high - low)
    mask = fill_holes(drop_small(bright.cpu().numpy(), min_component), spatial_dims)
    return torch.from_numpy(mask).to(x.device)[None]


def nearest_rank(values: torch.Tensor, q: float) -> torch.Tensor:
    """Take the quantile at the nearest rank; ``torch.quantile`` sorts and refuses more than 16 million voxels."""
    flat = values.reshape(-1)
    return flat.kthvalue(round(q * (flat.numel() - 1)) + 1).values


class ObjectMaskd(Transform):
    """Give every case a foreground: the one of the data list, else the one that :meth:`find` sees in the image.

    A mask of the data list wins; it must already lie on the grid of the image and becomes 0/1 uint8. A computed one
    carries the image's affine and history, so that ``Invertd(orig_keys="image")`` takes it back with the map.

    Args:
        image_key: the image to look at.
        foreground_key: where the mask is, or goes.

    Shape:
        image: ``(C, *spatial)``; foreground: ``(1, *spatial)``, uint8.

    Raises:
        InputError: in a call, if the mask of the data list has another shape than the image.
    """

    def __init__(self, image_key: str = Keys.IMAGE, foreground_key: str = Keys.FOREGROUND) -> None:
        self.image_key = image_key
        self.foreground_key = foreground_key

    @abstractmethod
    def find(self, image: torch.Tensor, where: str) -> torch.Tensor:
        """Find the object.

        Args:
            image: ``(C, *spatial)``.
            where: name of the case.

        Returns:
            Boolean mask ``(1, *spatial)``.
        """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the foreground to the case."""
        result = dict(data)
        image = result[self.image_key]
        given = result.get(self.foreground_key)
        where = str(result.get(Keys.CASE, self.foreground_key))
        if given is None:
            mask, like = self.find(image, where), image
        else:
            mask, like = torch.as_tensor(given) > 0, given
            if mask.shape != (1, *image.shape[1:]):
                raise InputError(
                    f"foreground of shape {tuple(mask.shape)} found",
                    where=where,
                    expected=f"{(1, *image.shape[1:])}, one channel on the grid of the image",
                    remedy="Resample the foreground with the image, or leave it out of the data list.",
                )
        result[self.foreground_key] = _like(mask, like)
        return result


class ForegroundMaskd(ObjectMaskd):
    """Give every case a foreground: the one of the data list, else the one of :func:`foreground_mask`.

    Args:
        spatial_dims: see :func:`foreground_mask`.
        image_key: see :class:`ObjectMaskd`.
        foreground_key: see :class:`ObjectMaskd`.
        threshold: see :func:`foreground_mask`.
        min_component: see :func:`foreground_mask`.

    Raises:
        ValueError: at construction, if an argument is out of its range.
        InputError: see :class:`ObjectMaskd`.
    """

    def __init__(
        self,
        spatial_dims: int,
        image_key: str = Keys.IMAGE,
        foreground_key: str = Keys.FOREGROUND,
        threshold: float = 0.1,
        min_component: float = 0.1,
    ) -> None:
        super().__init__(image_key, foreground_key)
        _check_settings(spatial_dims, threshold, min_component)
        self.spatial_dims = spatial_dims
        self.threshold = threshold
        self.min_component = min_component

    def find(self, image: torch.Tensor, where: str) -> torch.Tensor:
        """Find the object."""
        return foreground_mask(image, self.spatial_dims, self.threshold, self.min_component)


def _like(mask: torch.Tensor, like: Any) -> torch.Tensor:
    values = mask.as_subclass(torch.Tensor).to(torch.uint8)
    return convert_to_dst_type(values, dst=like, dtype=torch.uint8)[0] if isinstance(like, MetaTensor) else values


def _check_settings(spatial_dims: int, threshold: float, min_component: float) -> None:
    check_spatial_dims(spatial_dims)
    check_within("(0, 1)", threshold=threshold)
    check_within("(0, 1]", min_component=min_component)
