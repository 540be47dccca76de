# SPDX-License-Identifier: Apache-2.0
"""Breast region of mammograms, without labels and borders of the film; the chest wall always on one side."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Flip, InvertibleTransform, MapTransform, Transform
from monai.utils import convert_to_dst_type
from monai.utils.enums import TraceKeys
from scipy import ndimage
from torch import Tensor

from ..checks import check_at_least
from ..errors import InputError
from ..keys import Keys
from ..morphology import largest
from .foreground import foreground_mask


def breast_region(image: Tensor, threshold: float = 0.1, opening: float = 0.01) -> Tensor:
    """Find the breast: the largest object on the film, after what is thin has been cut off.

    Labels lie apart from the breast, and borders of the film touch it in lines. An opening, an erosion and then a
    dilation by disks of one radius, takes away what is narrower than the disk.

    In a stack of slices (tomosynthesis) that is done once, on the largest value along the last axis.

    Args:
        image: film ``(C, x, y)``, or slices ``(C, x, y, z)``.
        threshold: see :func:`foreground_mask`.
        opening: radius of the disk, as a fraction of the longer side of the film, at least 0.

    Returns:
        Boolean mask ``(1, *spatial)`` on the image's device; empty where nothing is brighter than the background.

    Raises:
        ValueError: if an argument is out of its range or the image has another number of axes.
    """
    check_at_least(0, opening=opening)
    if image.ndim not in (3, 4):
        raise ValueError(f"image must be (C, x, y) or (C, x, y, z), got shape {tuple(image.shape)}")
    film = image.as_subclass(Tensor)
    bright = foreground_mask(film.amax(dim=-1) if film.ndim == 4 else film, 2, threshold, 1.0)[0].cpu().numpy()
    radius = opening * max(bright.shape)
    core = largest(ndimage.distance_transform_edt(bright) > radius)  # the border of the film is no edge of it
    region = bright & (ndimage.distance_transform_edt(~core) <= radius) if core.any() else bright
    found = torch.from_numpy(region).to(film.device)[None]
    return found[..., None].expand(-1, -1, -1, film.shape[-1]) if film.ndim == 4 else found


class BreastRegiond(Transform):
    """Give every film the breast as its foreground, see :func:`breast_region`; a foreground of the data list wins.

    Args:
        threshold: see :func:`foreground_mask`.
        opening: see :func:`breast_region`.
        image_key: the film.
        foreground_key: where the mask is, or goes.

    Shape:
        image: ``(C, x, y)`` or ``(C, x, y, z)``; foreground: the same with one channel, uint8.

    Raises:
        InputError: in a call, if there is nothing on the film.
    """

    def __init__(
        self,
        threshold: float = 0.1,
        opening: float = 0.01,
        image_key: str = Keys.IMAGE,
        foreground_key: str = Keys.FOREGROUND,
    ) -> None:
        self.threshold = threshold
        self.opening = opening
        self.image_key = image_key
        self.foreground_key = foreground_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the foreground of one film."""
        item = dict(data)
        if item.get(self.foreground_key) is not None:
            return item
        image = item[self.image_key]
        region = breast_region(image, self.threshold, self.opening).to(torch.uint8)
        if not bool(region.any()):
            raise InputError(
                "no breast found: nothing is brighter than the background",
                where=str(item.get(Keys.CASE, self.image_key)),
                expected="a mammogram with a dark background",
                remedy="Look at the film; give a foreground mask in the data list, or leave the film out.",
            )
        item[self.foreground_key] = convert_to_dst_type(region, dst=image, dtype=torch.uint8)[0]
        return item


class ChestWallLeftd(MapTransform, InvertibleTransform):
    """Mirror a film along its first axis where the breast points to the left, so that the chest wall is at x = 0.

    The breast reaches the border of the film at the chest wall: that is the side where more of the two outermost tenths
    of the film is foreground. MONAI's ``Flip`` does it, so that ``Invertd`` brings maps back.

    Args:
        keys: entries to mirror, ``(C, x, y)`` or ``(C, x, y, z)``.
        foreground_key: mask of the breast, with one channel.
        allow_missing_keys: skip keys that an item does not have.
    """

    def __init__(
        self, keys: KeysCollection, foreground_key: str = Keys.FOREGROUND, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.foreground_key = foreground_key
        self._flip = Flip(spatial_axis=0)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Mirror one item, or not."""
        item = dict(data)
        foreground = item[self.foreground_key]
        edge = max(1, foreground.shape[1] // 10)
        if bool(foreground[:, -edge:].sum() > foreground[:, :edge].sum()):
            for key in self.key_iterator(item):
                item[key] = self._flip(item[key])
                item[key].applied_operations[-1][TraceKeys.ID] = TraceKeys.NONE  # any instance may invert it
        return item

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Mirror back what was mirrored."""
        item = dict(data)
        for key in self.key_iterator(item):
            history = item[key].applied_operations
            if history and history[-1][TraceKeys.CLASS_NAME] == Flip.__name__:
                item[key] = self._flip.inverse(item[key])
        return item
