# SPDX-License-Identifier: Apache-2.0
"""Data values: what a user gives is never read as part of a configuration's language.

In a configuration ``$`` begins Python code, ``@`` and ``%`` refer to other values, ``#`` separates keys, and a
dictionary with ``_target_`` is an object to be made. But a folder may be called ``$x``.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

_LANGUAGE = re.compile("[$@%#]")


def as_data(value: Any) -> Any:
    r"""Write a value so that a configuration gives it back as it is.

    Args:
        value: text, path, number, or a list or dictionary of such.

    Returns:
        The value itself where no sign of the language occurs; otherwise an expression for exactly this value, in which
        the signs are escaped.

    Example:
        >>> as_data("scan.nii.gz"), as_data("$HOME/a.png")
        ('scan.nii.gz', "$'\\x24HOME/a.png'")
    """
    plain = _plain(value)
    written = repr(plain)
    if not _LANGUAGE.search(written) and "'_target_'" not in written:
        return plain
    return "$" + _LANGUAGE.sub(lambda sign: f"\\x{ord(sign[0]):02x}", written)


def data_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Write the values of overrides as data; the keys stay as they are."""
    return {key: as_data(value) for key, value in overrides.items()}


def _plain(value: Any) -> Any:
    """Take paths as text, also within lists and dictionaries."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return value
