# SPDX-License-Identifier: Apache-2.0
"""Checks of a data list: labels fit, files exist, no image occurs twice, no subject is in two splits."""

import logging
from pathlib import Path

from ..errors import InputError
from ..formats.npz_reference import npz_archive
from ..keys import Keys
from .items import (
    FOREGROUND,
    LABEL,
    MASK,
    SUBJECT_ID,
    TEST,
    TRAINING,
    TRAINING_ABNORMAL,
    Item,
    Splits,
    image_paths,
)

logger = logging.getLogger(__name__)


def check_splits(splits: Splits, where: str | Path) -> None:
    """Check that the splits can be trusted: labels fit, nothing occurs twice, no subject is in two splits.

    Args:
        splits: named items.
        where: the data set, named in errors.

    Raises:
        InputError: at the first fault.
    """
    if not any(splits.values()):
        raise InputError(
            "no image found",
            where=where,
            expected="at least one image",
            remedy="Check the path; a plain folder is searched flat unless recursive is true.",
        )
    _check_labels(splits, where)
    _check_images_unique(splits, where)
    _check_subjects_apart(splits, where)


def check_files_exist(items: list[Item], where: str | Path) -> None:
    """Check that every file that items refer to exists.

    Args:
        items: items with absolute paths.
        where: the data set, named in errors.

    Raises:
        InputError: naming the first missing file.
    """
    seen: set[str] = set()
    for item in items:
        referenced = [*image_paths(item), *(item[key] for key in (MASK, FOREGROUND) if item.get(key))]
        for path in map(npz_archive, referenced):
            if path not in seen and not Path(path).exists():
                raise InputError(
                    f"the file {path} does not exist",
                    where=where,
                    expected="every file that the data set refers to",
                    remedy="Correct the path in the data list, or restore the file.",
                )
            seen.add(path)


def mark_normals_without_mask(items: list[Item]) -> list[Item]:
    """Give normal images the mask ``""`` (nothing is abnormal), if other images of the split have masks.

    Args:
        items: one split.

    Returns:
        The split; unchanged if it has no masks at all, since then nothing is known about pixels.
    """
    if not any(item.get(MASK) for item in items):
        return items
    unmarked = sum(item.get(LABEL) == 1 and MASK not in item for item in items)
    if unmarked:
        logger.warning("%d abnormal images have no mask, unlike others of their split", unmarked)
    return [{**item, MASK: ""} if item.get(LABEL) == 0 and MASK not in item else item for item in items]


def _check_labels(splits: Splits, where: str | Path) -> None:
    for name, items in splits.items():
        for item in items:
            label = item.get(LABEL)
            if label not in (None, 0, 1):
                found, expected = f"label {label!r} for {image_paths(item)[0]}", "0 (normal) or 1 (abnormal)"
            elif name == TRAINING and label == 1:
                found = f"abnormal image {image_paths(item)[0]} among the training normals"
                expected = "normal images only"
            elif name == TRAINING_ABNORMAL and label == 0:
                found = f"normal image {image_paths(item)[0]} in {TRAINING_ABNORMAL}"
                expected = "abnormal images only"
            elif label == 0 and item.get(Keys.CIRCLES.value):
                found, expected = f"circles in the normal image {image_paths(item)[0]}", "no circles, or label 1"
            else:
                continue
            raise InputError(
                found,
                where=where,
                expected=expected,
                remedy=f"Normal images for training belong to {TRAINING}, abnormal ones to {TRAINING_ABNORMAL}.",
            )


def _check_images_unique(splits: Splits, where: str | Path) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for name, items in splits.items():
        for item in items:
            key = tuple(image_paths(item))
            if key in seen:
                raise InputError(
                    f"image {key[0]} occurs twice, in {seen[key]} and in {name}",
                    where=where,
                    expected="every image once",
                    remedy="Remove one of the entries.",
                )
            seen[key] = name


def _check_subjects_apart(splits: Splits, where: str | Path) -> None:
    home: dict[str, str] = {}
    for name, items in splits.items():
        group = TRAINING if name == TRAINING_ABNORMAL else name
        for item in items:
            subject = item[SUBJECT_ID]
            if home.setdefault(subject, group) != group:
                raise InputError(
                    f"subject {subject!r} is in {home[subject]} and in {name}",
                    where=where,
                    expected=f"every subject in one split (training with training_abnormal, validation, {TEST}, ...)",
                    remedy="Move all images of the subject to one split; otherwise results look better than they are.",
                )
