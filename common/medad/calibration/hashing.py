# SPDX-License-Identifier: Apache-2.0
"""Identity of a calibration beside the weights: SHA-256 of the list of images, settings as JSON holds them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..keys import Keys


def as_json_holds_it(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings the form in which they come back from a file: tuples become lists."""
    same: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return same


def data_hash(items: Iterable[Mapping[str, Any]]) -> str:
    """Hash which images a data list names, whatever their order and the folder they lie in.

    Args:
        items: entries of the data list, with ``image`` (a path or one per channel), ``case`` and ``subject_id``.

    Returns:
        64 hexadecimal digits.
    """
    rows = []
    for item in items:
        images = item.get(Keys.IMAGE, [])
        paths = images if isinstance(images, (list, tuple)) else [images]
        names = [Path(str(path)).name for path in paths]
        rows.append(json.dumps([str(item.get(Keys.CASE)), str(item.get(Keys.SUBJECT_ID)), names]))
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()
