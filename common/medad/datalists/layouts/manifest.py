# SPDX-License-Identifier: Apache-2.0
"""Layout ``manifest.csv``: a row per image or per annotated lesion, as mini-MIAS is usually listed.

Columns are ``file`` and ``label`` (0 normal, 1 abnormal) and, where wanted, ``split`` (train, val, calibration, test),
``mask``, ``foreground``, ``subject_id``, and the lesion: ``cx``, ``cy`` or ``cy_from_top``, in a volume ``cz``, and
``radius``, in voxels; without a radius it is a point. Rows of one file are its lesions. Other columns do not matter.

Reference:
    Suckling et al., "The Mammographic Image Analysis Society Digital Mammogram Database", 1994.
"""

import csv
from pathlib import Path
from typing import Any

from ...errors import InputError, brief
from ...keys import Keys
from ..items import (
    CALIBRATION,
    FOREGROUND,
    IMAGE,
    LABEL,
    MASK,
    SUBJECT_ID,
    TEST,
    TRAINING,
    TRAINING_ABNORMAL,
    VALIDATION,
    Item,
    Splits,
    make_item,
)

_NAME = "manifest.csv"
_SPLITS = {
    "train": TRAINING,
    "training": TRAINING,
    "training_abnormal": TRAINING_ABNORMAL,
    "val": VALIDATION,
    "validation": VALIDATION,
    "calibration": CALIBRATION,
    "test": TEST,
    "": TEST,
}
_CENTER = (("cx",), ("cy_from_top", "cy"), ("cz",))


def matches(path: Path) -> bool:
    """Say whether ``path`` is a folder with ``manifest.csv`` that has the columns ``file`` and ``label``."""
    try:
        with (path / _NAME).open(encoding="utf-8-sig", newline="") as opened:
            columns = next(csv.reader(opened), [])
    except (OSError, ValueError, csv.Error):
        return False
    return {"file", LABEL} <= {column.strip() for column in columns}


def read(path: Path) -> Splits:
    """List the images of a manifest; abnormal images of ``train`` make ``training_abnormal``.

    Args:
        path: folder with ``manifest.csv``; its paths are relative to it.

    Returns:
        Items by split, with ``circles`` where lesions are annotated.

    Raises:
        InputError: if the table cannot be read, or rows of one file contradict each other.
    """
    file = path / _NAME
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, ValueError, csv.Error) as error:
        raise _malformed(file, f"it cannot be read ({brief(error)})") from error
    items: dict[str, tuple[str, Item]] = {}
    for number, row in enumerate(rows, start=2):
        where = f"line {number}"
        split, item = _read_row(row, path, f"{file}, {where}")
        known_split, known = items.setdefault(item[IMAGE], (split, item))
        if known is not item:
            circles = [*known.pop(Keys.CIRCLES.value, []), *item.pop(Keys.CIRCLES.value, [])]
            if (split, item) != (known_split, known):
                raise _malformed(file, f"{where} contradicts an earlier row of {row['file']}")
            item = known
            if circles:
                item[Keys.CIRCLES.value] = circles
    splits: Splits = {}
    for split, item in items.values():
        splits.setdefault(split, []).append(item)
    return splits


def _read_row(row: dict[str, Any], root: Path, where: str) -> tuple[str, Item]:
    given = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str) and key}
    split = _SPLITS.get(given.get("split", "").lower())
    label = given.get(LABEL)
    if not given.get("file"):
        raise _malformed(where, "no file")
    if split is None:
        raise _malformed(where, f"split {given['split']!r}")
    if label not in ("0", "1"):
        raise _malformed(where, f"label {label!r}")
    item = make_item(root / given["file"], int(label))
    item.update({key: str(root / given[key]) for key in (MASK, FOREGROUND) if given.get(key)})
    if given.get(SUBJECT_ID):
        item[SUBJECT_ID] = given[SUBJECT_ID]
    center = [next((given[name] for name in names if given.get(name)), "") for names in _CENTER]
    if any(center):
        numbers = [*(value for axis, value in enumerate(center) if value or axis < 2), given.get("radius") or "0"]
        try:
            item[Keys.CIRCLES.value] = [[float(value) for value in numbers]]
        except ValueError:
            raise _malformed(where, f"a center and radius of {', '.join(map(repr, numbers))}") from None
    return (TRAINING_ABNORMAL if split == TRAINING and label == "1" else split), item


def _malformed(where: str | Path, found: str) -> InputError:
    return InputError(
        found,
        where=where,
        expected="columns file and label (0 or 1) and, where wanted, split (train, val, calibration, test), mask, "
        "foreground, subject_id, cx, cy, cz, radius (numbers, in voxels)",
        remedy="Correct the table.",
    )
