# SPDX-License-Identifier: Apache-2.0
"""Bright spots in marked clusters: what in a mark is brighter than around it."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.networks.layers import GaussianFilter
from monai.transforms import Transform
from monai.utils import convert_to_dst_type
from torch import Tensor

from ..checks import check_at_least, check_positive
from ..keys import Keys
from ..morphology import components

_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def bright_spots(image: Tensor, region: Tensor, sigma: float, contrast: float) -> Tensor:
    """Find voxels of a region that are brighter than their surroundings.

    With d = x - G_sigma x, marked is where d > contrast * 1.4826 * median(abs(d)), and in any case where d is largest,
    so that nothing ends up empty. Each connected piece of the region has a median and a maximum of its own.

    Args:
        image: ``(1, *spatial)``.
        region: ``(1, *spatial)``, nonzero inside.
        sigma: width of the Gaussian, in voxels: about the radius of a lesion.
        contrast: in robust standard deviations of the region.

    Returns:
        Boolean mask ``(1, *spatial)``, part of the region.

    Raises:
        ValueError: if an argument is out of its range, or the shapes do not fit.
    """
    check_positive(sigma=sigma)
    check_at_least(0, contrast=contrast)
    if image.shape != region.shape or len(image) != 1:
        raise ValueError(f"image {tuple(image.shape)} and region {tuple(region.shape)}: (1, *spatial) is expected.")
    values = image.as_subclass(Tensor).float()
    detail = values - GaussianFilter(values.ndim - 1, sigma).to(values.device)(values[None])[0]
    pieces, count = components(region.as_subclass(Tensor).cpu().numpy() > 0)
    spots = torch.zeros_like(detail, dtype=torch.bool)
    for number in range(1, count + 1):
        inside = torch.from_numpy(pieces == number).to(detail.device)
        found = detail[inside]
        spots |= inside & ((detail > contrast * _NORMAL * found.abs().median()) | (detail == found.max()))
    return spots


class BrightSpotsd(Transform):
    """Shrink the mask of an item to the bright spots in it, see :func:`bright_spots`.

    Args:
        sigma: see :func:`bright_spots`.
        contrast: see there.
        mask_key: the mask ``(1, *spatial)``; an item without one stays as it is.
        image_key: the image ``(1, *spatial)``.

    Raises:
        ValueError: in a call, if an argument is out of its range.
    """

    def __init__(self, sigma: float, contrast: float, mask_key: str = Keys.MASK, image_key: str = Keys.IMAGE) -> None:
        self.sigma = sigma
        self.contrast = contrast
        self.mask_key = mask_key
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Shrink one mask."""
        item = dict(data)
        mask = item.get(self.mask_key)
        if mask is None or not bool(mask.any()):
            return item
        spots = bright_spots(item[self.image_key], mask, self.sigma, self.contrast)
        item[self.mask_key] = convert_to_dst_type(spots.to(torch.uint8), dst=mask)[0]
        return item
