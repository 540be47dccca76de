# SPDX-License-Identifier: Apache-2.0
"""The file ``calibration.json``: read, checked, and kept while it does not change."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import brief, calibration_error
from .calibration import FORMAT, LISTS, SHARED, Calibration

_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("subjects", "voxels"), int),
    **dict.fromkeys(("data_sha256", "weights_sha256", "medad_version"), str),
    **dict.fromkeys((*LISTS, "axes"), (list, tuple)),
    "effective_voxels": (int, float),
    "settings": dict,
}
_MOST = 2**63
_LONGEST = 40


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
        content = _object(json.loads(Path(path).read_text(encoding="utf-8")), "the file")
        if content.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT!r}, got {_shown(content.get('format'))}")
        shared = {name: _entry(content, name) for name in SHARED}
        groups = _object(content.get("groups", {}), "groups")  # none of one data set
        own = {
            name: _read({**_object(group, name), **shared}, dataset=name, groups={}) for name, group in groups.items()
        }
        return _read(content, dataset="", groups=own)
    except Exception as error:  # a file may be malformed in any way
        raise calibration_error(
            path,
            f"cannot be read as a calibration ({brief(error)})",
            f"a JSON file of the format {FORMAT}",
            "Run calibrate.json again; it writes the file anew.",
        ) from error


def _read(content: Mapping[str, Any], **rest: Any) -> Calibration:
    content = {"subject_maxima": (), **content, **rest}  # files of before have none
    for name, kinds in _KINDS.items():
        if not isinstance(_entry(content, name), kinds) or isinstance(content[name], bool):
            raise ValueError(f"{name} must not be {_shown(content[name])}")
    for name in ("subjects", "voxels", "effective_voxels"):
        if not 0 <= content[name] < _MOST:
            raise ValueError(f"{name} must be a number of things, got {_shown(content[name])}")
    values = {field.name: content[field.name] for field in dataclasses.fields(Calibration) if field.name in content}
    for name in (*LISTS, "axes"):
        values[name] = tuple(values[name])
        if any(isinstance(value, int) and abs(value) >= _MOST for value in values[name]):
            raise ValueError(f"{name} must hold finite numbers")
    if any(axes not in (2, 3) for axes in values["axes"]):
        raise ValueError(f"axes must be 2 and 3 at most, got {_shown(list(values['axes']))}")
    return Calibration(**values)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object, got {_shown(value)}")
    return value


def _entry(content: Mapping[str, Any], name: str) -> Any:
    if name not in content:
        raise ValueError(f"it has no entry {name}")
    return content[name]


def _shown(value: Any) -> str:
    return repr(value)[:_LONGEST] if not isinstance(value, int) or abs(value) < _MOST else "a huge number"
