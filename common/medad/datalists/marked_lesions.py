# SPDX-License-Identifier: Apache-2.0
"""Items with marked lesions, for methods that learn from them."""

import logging
from collections.abc import Sequence

from torch import Tensor

from ..errors import InputError
from ..keys import ABNORMAL, Keys
from .items import CASE, LABEL, MASK, Item
from .labeling import items_of_labeling

_logger = logging.getLogger(__name__)


def items_with_marked_lesions(data: Sequence[Item]) -> list[Item]:
    """Take in normal images, which have no lesion, and abnormal ones whose lesions are marked.

    Args:
        data: items of a data list, each with ``label``, or of a labeling application. Abnormal ones with neither a
            mask nor circles are left out, with a warning that names them.

    Returns:
        New items; normal ones have the mask ``""``, abnormal ones the path of a mask, or ``circles`` to draw.

    Raises:
        InputError: if there is no normal image, or no abnormal one with marked lesions.
    """
    items = items_of_labeling(data, both_classes=True)
    abnormal = [item for item in items if item.get(LABEL) == ABNORMAL]
    normal = [item for item in items if item.get(LABEL) != ABNORMAL]
    marked = [item for item in abnormal if _is_marked(item)]
    unmarked = [str(item.get(CASE, item)) for item in abnormal if not _is_marked(item)]
    if unmarked:
        _logger.warning(
            "%d abnormal images without a mask or circles are left out: %s", len(unmarked), ", ".join(unmarked[:10])
        )
    for found, what in ((normal, "normal images"), (marked, "abnormal images with a mask or circles")):
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
        data: items as :func:`items_with_marked_lesions` gives them.

    Returns:
        One weight for each: 1 / number of images of its class.
    """
    abnormal = sum(_is_marked(item) for item in data)
    return [1 / abnormal if _is_marked(item) else 1 / (len(data) - abnormal) for item in data]


def _is_marked(item: Item) -> bool:
    mask = item.get(MASK)
    if isinstance(mask, Tensor):  # of a slice, loaded already
        return bool(mask.any())
    return bool(mask or item.get(Keys.CIRCLES.value))
