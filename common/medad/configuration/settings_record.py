# SPDX-License-Identifier: Apache-2.0
"""The settings of a long run as a JSON file: what is continued must have those of the first part."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..calibration import as_json_holds_it
from ..errors import InputError
from ..files import write_json


def record_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Write down the settings of a run, or compare them with those that the file holds.

    Args:
        path: the JSON file; where it is missing, the run begins.
        settings: values by name, as JSON can hold them.

    Raises:
        InputError: if the earlier part of the run had other settings.
    """
    now = as_json_holds_it(settings)
    earlier = json.loads(path.read_text("utf-8")) if path.is_file() else now
    changed = sorted(name for name in {*now, *earlier} if now.get(name) != earlier.get(name))
    if changed:
        raise InputError(
            f"the earlier run had {', '.join(f'{name} {earlier.get(name)}' for name in changed)}",
            where=path,
            expected=", ".join(f"{name} {now.get(name)}" for name in changed) + ", as this one has",
            remedy="Give what the earlier run had, or begin anew in another --out.",
        )
    write_json(path, now)
