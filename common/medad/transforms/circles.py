# SPDX-License-Identifier: Apache-2.0
"""Circle annotations: lesions as points, circles or balls, read and drawn as a mask."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch import Tensor

from ..errors import InputError
from ..keys import Keys
from .balls import draw_balls


def read_circles(circles: Any, axes: int, where: str) -> Tensor:
    """Read annotated circles or balls.

    Args:
        circles: rows of numbers: center and radius in voxels of the file; a point is a circle of radius 0.
        axes: spatial axes of the image.
        where: names the case in errors.

    Returns:
        ``(n, axes + 1)`` float64 on the CPU.

    Raises:
        InputError: if they are no such rows.
    """
    try:
        rows = torch.as_tensor(circles).to("cpu", torch.float64)
    except (ValueError, TypeError, RuntimeError, OverflowError):
        rows = torch.full((1, 1), torch.nan, dtype=torch.float64)
    columns = ", ".join((*"xyz"[:axes], "radius"))
    if rows.ndim != 2 or rows.shape[1] != axes + 1 or not bool(rows.isfinite().all() and (rows[:, -1] >= 0).all()):
        raise InputError(
            f"circles {circles!r}"[:200],
            where=where,
            expected=f"rows of {columns} in voxels, finite, with radii of at least 0",
            remedy="Correct the data list.",
        )
    return rows


class DrawCirclesd(Transform):
    """Draw the ``circles`` of an item as its mask, if it has no mask.

    Place it where :class:`LoadMaskd` is: circles are in voxels of the file.

    Args:
        mask_key: where the mask goes; one that is there stays.
        image_key: entry of the image, already loaded.

    Shape:
        image: ``(C, *spatial)``; mask: ``(1, *spatial)``, uint8. The voxel next to a center is always marked.

    Raises:
        InputError: in a call, if the circles cannot be read.
    """

    def __init__(self, mask_key: str = Keys.MASK, image_key: str = Keys.IMAGE) -> None:
        self.mask_key = mask_key
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the mask of one item."""
        item = dict(data)
        if not item.get(Keys.CIRCLES.value) or item.get(self.mask_key) is not None:
            return item
        image = item[self.image_key]
        rows = read_circles(item[Keys.CIRCLES.value], image.ndim - 1, str(item.get(Keys.CASE, "circles")))
        mask = _draw(rows, image)
        item[self.mask_key] = MetaTensor(mask, meta=image.meta) if isinstance(image, MetaTensor) else mask
        return item


def _draw(rows: Tensor, image: Tensor) -> Tensor:
    centers, radii = rows[:, :-1], rows[:, -1]
    with_points = torch.cat([centers, centers.round()]), torch.cat([radii, torch.zeros_like(radii)])
    return draw_balls(*with_points, image.shape[1:])
