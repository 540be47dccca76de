# SPDX-License-Identifier: Apache-2.0
"""Training lists for methods that learn from marked lesions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import InputError
from .items import CASE, MASK, Item

_logger = logging.getLogger(__name__)


def localized_datalist(normal: Sequence[Item], abnormal: Sequence[Item]) -> list[Item]:
    """Join normal images, which have no lesion, and abnormal ones whose lesions are marked.

    Args:
        normal: items of normal images; each gets an empty mask (``""``).
        abnormal: items of abnormal images; those without a mask are left out, with a warning that names them.

    Returns:
        New items, the normal ones first.

    Raises:
        InputError: if there is no normal image, or no abnormal one with a mask.
    """
    marked = [item for item in abnormal if item.get(MASK)]
    unmarked = [str(item.get(CASE, index)) for index, item in enumerate(abnormal) if not item.get(MASK)]
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
        data: items with ``mask``, as :func:`localized_datalist` gives them.

    Returns:
        One weight for each: 1 / number of images of its class.
    """
    abnormal = sum(bool(item[MASK]) for item in data)
    return [1 / abnormal if item[MASK] else 1 / (len(data) - abnormal) for item in data]
