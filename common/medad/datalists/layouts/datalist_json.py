# SPDX-License-Identifier: Apache-2.0
"""Layout ``datalist.json``: splits as lists of ``{"image", "label"?, "mask"?, "subject_id"?, ...}``."""

import json
from pathlib import Path
from typing import Any

from ...errors import InputError, brief
from ...keys import Keys
from ..items import (
    CASE,
    FAILURE,
    FOREGROUND,
    IMAGE,
    LABEL,
    MASK,
    SOURCE,
    SPLITS,
    SUBJECT_ID,
    TRAINING,
    TRAINING_ABNORMAL,
    Item,
    Splits,
)

_NAME = "datalist.json"
_LONGEST = 100
_PATH_KEYS = (IMAGE, MASK, FOREGROUND)
_RESULTS = {*map(str, Keys), FAILURE} - {IMAGE, LABEL, MASK, FOREGROUND, SUBJECT_ID, CASE, SOURCE, str(Keys.CIRCLES)}
"""What a run adds to a case; where a data list has entries of these names, they are not what a run makes of them."""
_IMPLIED_LABELS = {TRAINING: 0, TRAINING_ABNORMAL: 1}


def matches(path: Path) -> bool:
    """Say whether ``path`` is a folder with ``datalist.json``, or such a file itself."""
    return (path / _NAME).is_file() or (path.suffix == ".json" and path.is_file())


def read(path: Path) -> Splits:
    """Read the splits; paths are relative to the file, labels of the training splits may be left out.

    Args:
        path: folder with ``datalist.json``, or the file.

    Returns:
        Items by split, with absolute paths.

    Raises:
        InputError: if the file is no JSON object with lists of items, or has a split of unknown name.
    """
    file = path if path.is_file() else path / _NAME
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _malformed(file, f"not valid JSON ({brief(error)})") from error
    if not isinstance(content, dict):
        raise _malformed(file, f"a JSON {type(content).__name__} found")
    splits: Splits = {}
    for name, rows in content.items():
        if name in SPLITS:
            splits[name] = [_item(row, file, name, index) for index, row in enumerate(_rows(rows, file, name))]
        elif isinstance(rows, list) and rows and isinstance(rows[0], dict) and IMAGE in rows[0]:
            raise _malformed(file, f"a split of unknown name {name!r} found")
    return splits


def _rows(rows: Any, file: Path, name: str) -> list[Any]:
    if not isinstance(rows, list):
        raise _malformed(file, f"{name} is no list")
    return rows


def _item(row: Any, file: Path, name: str, index: int) -> Item:
    if not isinstance(row, dict) or not row.get(IMAGE):
        raise _malformed(file, f"entry {index} of {name} has no {IMAGE!r}")
    item = {key: value for key, value in row.items() if value is not None and key not in _RESULTS}
    for key in _PATH_KEYS:
        if item.get(key, "") != "":  # a mask "" marks nothing
            if not _is_path(item[key], several=key == IMAGE):
                raise _malformed(file, f"{key} {repr(item[key])[:_LONGEST]} in entry {index} of {name} is no path")
            item[key] = _absolute(item[key], file.parent)
    if name in _IMPLIED_LABELS:
        item.setdefault(LABEL, _IMPLIED_LABELS[name])
    return item


def _is_path(value: Any, several: bool) -> bool:
    paths = value if isinstance(value, list) else [value]
    return (several or len(paths) == 1) and all(isinstance(path, str) and path for path in paths)


def _absolute(value: Any, root: Path) -> Any:
    if isinstance(value, list):
        paths = [str(root / entry) for entry in value]
        return paths[0] if len(paths) == 1 else paths
    return str(root / value)


def _malformed(file: Path, found: str) -> InputError:
    return InputError(
        found,
        where=file,
        expected=f'{{"training": [{{"image": path, ...}}, ...], ...}} with splits among {", ".join(SPLITS)}',
        remedy="Correct the file.",
    )
