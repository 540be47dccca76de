# SPDX-License-Identifier: Apache-2.0
"""Items of a labeling application as those of a data list: where nothing is marked, the case is normal."""

import logging
from collections.abc import Sequence
from pathlib import Path

from monai.transforms import LoadImage

from ..errors import InputError
from ..keys import ABNORMAL, NORMAL
from .case_names import name_cases
from .items import IMAGE, LABEL, MASK, Item, image_paths

logger = logging.getLogger(__name__)


def items_of_labeling(data: Sequence[Item], both_classes: bool = False) -> list[Item]:
    """Take in the items of a program that lists images and masks; those of a data list pass as they are.

    MONAI Label lists ``{"image", "label"}``; its label is the path of a mask that somebody confirmed. A case in which
    something is marked is abnormal. Such cases are left out where a method learns, or is calibrated, from normal images
    only.

    Args:
        data: items of either kind.
        both_classes: keep abnormal cases, with the label 1, and the paths of masks, as ``mask``: of the slices of an
            abnormal volume only those are abnormal in which something is marked.

    Returns:
        Items of a data list; every case of a labeling application is a subject of its own.

    Raises:
        InputError: if a mask cannot be read, or something is marked in all cases.
    """
    if not any(isinstance(item.get(LABEL), str) for item in data):
        return list(data)
    items = [
        {
            **item,
            **({MASK: item[LABEL]} if both_classes else {}),
            LABEL: ABNORMAL if _is_marked(item[LABEL]) else NORMAL,
        }
        for item in data
    ]
    if not both_classes:
        items = [item for item in items if item[LABEL] == NORMAL]
    if not any(item[LABEL] == NORMAL for item in items):
        raise InputError(
            f"something is marked in all {len(data)} cases",
            where=Path(image_paths(data[0])[0]).parent,
            expected="normal cases, each with a mask in which nothing is marked",
            remedy="Save an empty mask as the final label of cases that are normal.",
        )
    if len(items) < len(data):
        logger.info("%d of %d cases are left out: something is marked in them", len(data) - len(items), len(data))
    name_cases({IMAGE: items}, Path(image_paths(items[0])[0]).parent)
    return items


def _is_marked(path: str) -> bool:
    try:
        return bool((LoadImage(image_only=True)(path) != 0).any())
    except Exception as error:  # whatever the readers of MONAI raise
        raise InputError(
            f"the mask cannot be read ({type(error).__name__})",
            where=path,
            expected="the path of an image",
            remedy="Save the label of this case again.",
        ) from error
