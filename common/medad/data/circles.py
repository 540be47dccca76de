# SPDX-License-Identifier: Apache-2.0
"""Lesions that are annotated as points, circles or balls: read them, check where they lie, draw them as a mask."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch import Tensor

from ..errors import InputError, MedadError
from ..keys import Keys
from ..transforms import draw_balls, foreground_mask
from .items import CASE, FOREGROUND, IMAGE, MASK, Item
from .load import LoadImageFiled
from .load_mask import LoadMaskd

_logger = logging.getLogger(__name__)


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
    except (ValueError, TypeError, RuntimeError):
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


def drop_misplaced_circles(items: Sequence[Item]) -> list[Item]:
    """Leave out circles whose center is outside of the image or on its background: they cannot be right.

    The images of items with circles are loaded for it. The background is that of the item's ``foreground``, or what
    :func:`medad.transforms.foreground_mask` leaves over. An image that cannot be loaded keeps its circles; whoever
    needs it will say what is wrong.

    Args:
        items: items of a data list.

    Returns:
        The items; where no circle is left the entry is missing: nothing is localized then. A warning names the cases.

    Raises:
        InputError: if circles cannot be read.
    """
    checked, misplaced = [], []
    for item in items:
        if item.get(Keys.CIRCLES.value):
            kept = _well_placed(item)
            misplaced += [str(item[CASE])] * (kept.get(Keys.CIRCLES.value) != item[Keys.CIRCLES.value])
            item = kept
        checked.append(item)
    if misplaced:
        _logger.warning(
            "circles that lie on the background are left out, in %d images: %s", len(misplaced), ", ".join(misplaced)
        )
    return checked


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

    def __init__(self, mask_key: str = MASK, image_key: str = IMAGE) -> None:
        self.mask_key = mask_key
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the mask of one item."""
        item = dict(data)
        if not item.get(Keys.CIRCLES.value) or item.get(self.mask_key) is not None:
            return item
        image = item[self.image_key]
        rows = read_circles(item[Keys.CIRCLES.value], image.ndim - 1, str(item.get(CASE, "circles")))
        mask = _draw(rows, image)
        item[self.mask_key] = MetaTensor(mask, meta=image.meta) if isinstance(image, MetaTensor) else mask
        return item


def _draw(rows: Tensor, image: Tensor) -> Tensor:
    centers, radii = rows[:, :-1], rows[:, -1]
    with_points = torch.cat([centers, centers.round()]), torch.cat([radii, torch.zeros_like(radii)])
    return draw_balls(*with_points, image.shape[1:])


def _well_placed(item: Item) -> Item:
    files: dict[Hashable, Any] = {key: item[key] for key in (IMAGE, FOREGROUND) if key in item}
    try:
        loaded = LoadMaskd(FOREGROUND)(LoadImageFiled(IMAGE, display=True)(files))
    except MedadError:
        return item
    image = loaded[IMAGE]
    rows = read_circles(item[Keys.CIRCLES.value], image.ndim - 1, str(item[CASE]))
    given = loaded.get(FOREGROUND)
    inside = foreground_mask(image, image.ndim - 1)[0] if given is None else (given > 0)[0]
    voxels = rows[:, :-1].round().long()
    on_image = ((voxels >= 0) & (voxels < torch.tensor(inside.shape))).all(dim=1)
    kept = [
        list(circle)
        for circle, voxel, fits in zip(item[Keys.CIRCLES.value], voxels, on_image.tolist(), strict=True)
        if fits and bool(inside[tuple(voxel)])
    ]
    if kept:
        return {**item, Keys.CIRCLES.value: kept}
    return {key: value for key, value in item.items() if key != Keys.CIRCLES.value}
