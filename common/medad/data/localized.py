# SPDX-License-Identifier: Apache-2.0
"""Training items for methods that learn from marked lesions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import InputError
from ..keys import ABNORMAL
from .items import CASE, LABEL, MASK, Item
from .labeling import from_labeling

_logger = logging.getLogger(__name__)


def localized_items(data: Sequence[Item]) -> list[Item]:
    """Take in normal images, which have no lesion, and abnormal ones whose lesions are marked.

    Args:
        data: items of a data list, each with ``label``, or of a labeling application. Abnormal ones without a mask are
            left out, with a warning that names them.

    Returns:
        New items, each with ``mask``: a path, or ``""`` for a normal image.

    Raises:
        InputError: if there is no normal image, or no abnormal one with a mask.
    """
    items = from_labeling(data, both_classes=True, masks=True)
    abnormal = [item for item in items if item.get(LABEL) == ABNORMAL]
    normal = [item for item in items if item.get(LABEL) != ABNORMAL]
    marked = [item for item in abnormal if item.get(MASK)]
    unmarked = [str(item.get(CASE, item)) for item in abnormal if not item.get(MASK)]
    if unmarked:
        _logger.warning("%d abnormal images without a mask are left out: %s", len(unmarked), ", ".join(unmarked[:10]))
    for found, what in ((normal, "normal images"), (marked, "abnormal images with a mask")):
        if not found:
            raise InputError(
                f"no {what}",
                where="training data",
                expected="images without and with marked lesions, in the splits training and training_abnormal",
                remedy="Add them to the data set; a method that needs no lesions is denoising_autoencoder.",
            )
    return [*({**item, MASK: ""} for item in normal), *(dict(item) for item in marked)]


def class_weights(data: Sequence[Item]) -> list[float]:
    """Weigh items so that both classes are drawn equally often.

    Args:
        data: items with ``mask``, as :func:`localized_items` gives them.

    Returns:
        One weight for each: 1 / number of images of its class.
    """
    abnormal = sum(bool(item[MASK]) for item in data)
    return [1 / abnormal if item[MASK] else 1 / (len(data) - abnormal) for item in data]
