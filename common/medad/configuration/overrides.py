# SPDX-License-Identifier: Apache-2.0
"""``--KEY VALUE`` on a command line, for any key of a configuration."""

import ast
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..errors import InputError


def split_overrides(arguments: Sequence[str], options: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Take ``--KEY VALUE`` and ``--KEY=VALUE`` for keys of the configuration out of a command line.

    Args:
        arguments: the command line.
        options: options of the command itself, which stay.

    Returns:
        What is left for the command itself, and values by key.

    Raises:
        InputError: if a key has no value.
    """
    own: list[str] = []
    overrides: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, text = argument.partition("=")
        if not name.startswith("--") or name in options:
            own.append(argument)
            continue
        value = text if equals else next(rest, None)
        if value is None:
            raise InputError("no value given", where=name, expected="--KEY VALUE", remedy="Give the value of the key.")
        overrides[name[2:]] = parse_value(value)
    return own, overrides


def parse_value(text: str) -> Any:
    """Read a value as JSON or as Python writes it; anything else is text.

    Args:
        text: as given on the command line.

    Returns:
        Number, boolean, ``None``, list or text.

    Example:
        >>> [parse_value(text) for text in ("false", "None", "[64,64]", "0.1", "cuda:1")]
        [False, None, [64, 64], 0.1, 'cuda:1']
    """
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


def parse_paths(text: str) -> Any:
    """Read what stands for data: a path, or several as a list or a mapping, as ``monai.bundle run`` reads them.

    Args:
        text: as given on the command line.

    Returns:
        List or dictionary; any other text, and the name of what exists, is a path and stays as it is.

    Example:
        >>> [parse_paths(text) for text in ("2024", "['a', 'b']", "{'brain': 'a'}")]
        ['2024', ['a', 'b'], {'brain': 'a'}]
    """
    value = text if os.path.lexists(text) else parse_value(text)
    return value if isinstance(value, (list, dict)) else text
