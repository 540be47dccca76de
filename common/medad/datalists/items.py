# SPDX-License-Identifier: Apache-2.0
"""Items of a data list: how one is made, and how items are counted."""

from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

from ..keys import Keys

Item: TypeAlias = dict[str, Any]
Splits: TypeAlias = dict[str, list[Item]]

TRAINING, TRAINING_ABNORMAL, VALIDATION, CALIBRATION, TEST, INFERENCE = (
    "training",
    "training_abnormal",
    "validation",
    "calibration",
    "test",
    "inference",
)
SPLITS = (TRAINING, TRAINING_ABNORMAL, VALIDATION, CALIBRATION, TEST, INFERENCE)

IMAGE, LABEL, MASK, FOREGROUND, SUBJECT_ID, DATASET, CASE, SOURCE = (
    key.value
    for key in (
        *(Keys.IMAGE, Keys.LABEL, Keys.MASK, Keys.FOREGROUND, Keys.SUBJECT_ID, Keys.DATASET, Keys.CASE, Keys.SOURCE),
    )
)


FAILURE = "failure"
"""Entry of what stands in the place of a case that failed: why it did."""


def make_item(image: str | Path | list[str], label: int | None = None, mask: str | Path | None = None) -> Item:
    """Make an item from paths; what is unknown is left out.

    Args:
        image: path, or one path per channel.
        label: 0 normal, 1 abnormal.
        mask: path of the mask.

    Returns:
        The item, with plain strings as paths.
    """
    item: Item = {IMAGE: image if isinstance(image, list) else str(image)}
    if label is not None:
        item[LABEL] = label
    if mask is not None:
        item[MASK] = str(mask)
    return item


def image_paths(item: Item) -> list[str]:
    """Return the image paths of an item, one per channel."""
    image = item[IMAGE]
    return list(image) if isinstance(image, (list, tuple)) else [image]


def describe(items: list[Item]) -> str:
    """Count items for the log: ``"90 (45 normal, 45 abnormal, 10 subjects)"``."""
    labels = Counter(item.get(LABEL) for item in items)
    unknown = f", {labels[None]} without label" if labels[None] else ""
    subjects = len({item[SUBJECT_ID] for item in items})
    return f"{len(items)} ({labels[0]} normal, {labels[1]} abnormal{unknown}, {subjects} subjects)"
