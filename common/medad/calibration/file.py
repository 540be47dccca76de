# SPDX-License-Identifier: Apache-2.0
"""The file ``calibration.json``: read, checked, and kept while it does not change."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import calibration_error
from .calibration import FORMAT, LISTS, SHARED, Calibration

_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("subjects", "voxels"), int),
    **dict.fromkeys(("data_sha256", "weights_sha256", "medad_version"), str),
    **dict.fromkeys((*LISTS, "axes"), (list, tuple)),
    "effective_voxels": (int, float),
    "settings": dict,
}


def load_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration file; kept in memory until the file changes.

    Args:
        path: the JSON file.

    Returns:
        The calibration.

    Raises:
        CalibrationError: if the file is missing or broken.
    """
    file = Path(path)
    if not file.is_file():
        raise calibration_error(
            file,
            "no calibration found",
            "calibration.json, written from held-out normal images",
            "Run train.json to its end or calibrate.json, or give --threshold for a mask without a decision.",
        )
    status = file.stat()
    return _load(str(file.resolve()), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=8)
def _load(path: str, _mtime_ns: int, _size: int) -> Calibration:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT!r}, got {content.get('format')!r}")
        shared = {name: content[name] for name in SHARED}
        groups = content.get("groups", {})  # none where the images came from one data set, and in older files
        own = {name: _read({**group, **shared}, dataset=name, groups={}) for name, group in groups.items()}
        return _read(content, dataset="", groups=own)
    except Exception as error:  # a file may be malformed in any way
        raise calibration_error(
            path,
            f"cannot be read as a calibration ({type(error).__name__}: {error})",
            f"a JSON file of the format {FORMAT}",
            "Run calibrate.json again; it writes the file anew.",
        ) from error


def _read(content: Mapping[str, Any], **rest: Any) -> Calibration:
    content = {"axes": (), **content, **rest}  # files of the first version do not say the axes
    values = {field.name: content[field.name] for field in dataclasses.fields(Calibration) if field.name in content}
    for name, kinds in _KINDS.items():
        if not isinstance(values[name], kinds):
            raise ValueError(f"{name} must not be {str(values[name])[:40]!r}")
    for name in (*LISTS, "axes"):
        values[name] = tuple(values[name])
    return Calibration(**values)
