# SPDX-License-Identifier: Apache-2.0
"""Misplaced circles: annotated circles that lie on the background of their image are left out."""

import logging
from collections.abc import Hashable, Sequence
from typing import Any

import torch

from ..errors import MedadError
from ..keys import Keys
from ..transforms import LoadImageFiled, LoadMaskd, foreground_mask, read_circles
from .items import CASE, FOREGROUND, IMAGE, Item

_logger = logging.getLogger(__name__)


def drop_misplaced_circles(items: Sequence[Item]) -> list[Item]:
    """Leave out circles whose center is outside of the image or on its background: they cannot be right.

    The images of items with circles are loaded for it. The background is that of the item's ``foreground``, or what
    :func:`medad.transforms.foreground_mask` leaves over. An image that cannot be loaded, or whose circles cannot be
    read, keeps them; whoever needs it will say what is wrong.

    Args:
        items: items of a data list.

    Returns:
        The items; where no circle is left the entry is missing: nothing is localized then. A warning names the cases.
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


def _well_placed(item: Item) -> Item:
    files: dict[Hashable, Any] = {key: item[key] for key in (IMAGE, FOREGROUND) if key in item}
    try:
        loaded = LoadMaskd(FOREGROUND)(LoadImageFiled(IMAGE, display=True)(files))
        image = loaded[IMAGE]
        rows = read_circles(item[Keys.CIRCLES.value], image.ndim - 1, str(item[CASE]))
    except MedadError:
        return item
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
