# SPDX-License-Identifier: Apache-2.0
"""Crops of one size around points of an image, as one batch."""

from collections.abc import Sequence

import torch


def crop_around(image: torch.Tensor, centers: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Cut out a crop around each point, with zeros beyond the border of the image.

    A point is taken as the voxel that it lies in, which becomes the voxel ``size // 2`` of the crop, as in MONAI's
    ``SpatialCrop``.

    Args:
        image: ``(C, *spatial)``.
        centers: ``(n, axes)``, in voxels; the center of the first voxel is 0.
        size: of a crop, one number per axis; 1 along the last axis for slices of a volume.

    Returns:
        ``(n, C, *size)``, on the device of the image.

    Raises:
        ValueError: if the shapes do not fit, a size is below 1, or a center is not finite.
    """
    image, centers = image.as_subclass(torch.Tensor), centers.as_subclass(torch.Tensor).to(image.device)
    axes = image.ndim - 1
    if centers.ndim != 2 or centers.shape[1] != axes or len(size) != axes:
        raise ValueError(
            f"image {tuple(image.shape)}, centers {tuple(centers.shape)}, size {tuple(size)}: expected (C, *spatial), "
            "(n, axes) and one size per axis"
        )
    if min(size) < 1:
        raise ValueError(f"size must be at least 1 on every axis, got {tuple(size)}")
    if not bool(centers.isfinite().all()):
        raise ValueError("centers hold NaN or infinite values, expected voxel coordinates")
    places: list[torch.Tensor] = []
    inside = torch.ones(len(centers), *(1,) * axes, dtype=torch.bool, device=image.device)
    for axis, extent in enumerate(size):
        first = (centers[:, axis] + 0.5).floor().long() - extent // 2
        place = first[:, None] + torch.arange(extent, device=image.device)
        place = place.reshape(-1, *(extent if a == axis else 1 for a in range(axes)))  # broadcasts to (n, *size)
        inside = inside & (place >= 0) & (place < image.shape[axis + 1])
        places.append(place.clamp(0, image.shape[axis + 1] - 1))
    crops = image.movedim(0, -1)[tuple(places)].movedim(-1, 1)
    return crops.where(inside[:, None], 0)
