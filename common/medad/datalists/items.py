# SPDX-License-Identifier: Apache-2.0
"""Items of a data list: how one is made, how cases get unique names, how items are counted."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError
from ..formats.file_types import stem_of
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

IMAGE, LABEL, MASK, FOREGROUND, SUBJECT_ID, DATASET, CASE = (
    key.value for key in (Keys.IMAGE, Keys.LABEL, Keys.MASK, Keys.FOREGROUND, Keys.SUBJECT_ID, Keys.DATASET, Keys.CASE)
)

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


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


def name_cases(splits: Splits, root: Path) -> None:
    """Give every item a unique, file-name-safe ``case``, and a ``subject_id`` where it has none.

    A case is named by the file's stem; where that is not unique, by the path below ``root``; where that is not unique
    either, a number is added. An item of unknown subject is a subject of its own, named like the case: right if every
    image comes from another person, too optimistic for confidence intervals and calibration if not.

    Args:
        splits: changed in place.
        root: the data set's folder.

    Raises:
        InputError: if two items ask for the same ``case`` themselves.
    """
    items = [item for split in splits.values() for item in split]
    given = Counter(safe_name(str(item[CASE])) for item in items if CASE in item)
    double = sorted(name for name, count in given.items() if count > 1)
    if double:
        raise InputError(
            f"case {double[0]!r} occurs {given[double[0]]} times",
            where=root,
            expected="unique case names",
            remedy="Rename the cases in the data list.",
        )
    taken = {name.casefold() for name in given}
    stems = Counter(safe_name(stem_of(image_paths(item)[0])).casefold() for item in items)
    for item in items:
        if CASE in item:
            item[CASE] = safe_name(str(item[CASE]))
        else:
            path = image_paths(item)[0]
            name = safe_name(stem_of(path))
            if stems[name.casefold()] > 1:
                name = safe_name(_relative_name(path, root))
            item[CASE] = untaken(name, taken)
        taken.add(item[CASE].casefold())
        item[SUBJECT_ID] = str(item.get(SUBJECT_ID, item[CASE]))


def describe(items: list[Item]) -> str:
    """Count items for the log: ``"90 (45 normal, 45 abnormal, 10 subjects)"``."""
    labels = Counter(item.get(LABEL) for item in items)
    unknown = f", {labels[None]} without label" if labels[None] else ""
    subjects = len({item[SUBJECT_ID] for item in items})
    return f"{len(items)} ({labels[0]} normal, {labels[1]} abnormal{unknown}, {subjects} subjects)"


def safe_name(name: str) -> str:
    """Make a name that is safe as part of a file name on every system; never empty."""
    return _UNSAFE.sub("_", name).strip("._") or "case"


def untaken(name: str, taken: set[str]) -> str:
    """Add a number to a name if it is taken.

    Args:
        name: the name wanted.
        taken: names in use, casefolded: some file systems know no upper case.

    Returns:
        The name, or ``<name>_2``, ``<name>_3``, ...
    """
    candidate, number = name, 2
    while candidate.casefold() in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _relative_name(path: str, root: Path) -> str:
    full = Path(path)
    parent = full.parent
    if parent.is_relative_to(root):
        parent = parent.relative_to(root)
    return "_".join([*(part for part in parent.parts if part != parent.anchor), stem_of(full)])
