# SPDX-License-Identifier: Apache-2.0
"""Provenance of a run: the bundle, the command, and the versions of the packages that made its numbers."""

import json
import re
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from .. import __version__


def run_provenance(bundle_root: Path) -> dict[str, object]:
    """Say what runs in this process.

    Args:
        bundle_root: the bundle.

    Returns:
        ``bundle, version, command, medad, monai, torch``.
    """
    metadata = json.loads((bundle_root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return {
        "bundle": metadata["name"],
        "version": metadata["version"],
        "command": command_line(["python", *sys.orig_argv[1:]]),
        "medad": __version__,
        "monai": version("monai"),
        "torch": version("torch"),
    }


def command_line(arguments: Iterable[str]) -> str:
    """Write a command as a person would type it: lists of files in double quotes.

    Args:
        arguments: the command and its arguments.

    Returns:
        One line for a shell.

    Example:
        >>> print(command_line(["run", "--config_file", "['a.json','b.json']"]))
        run --config_file "['a.json','b.json']"
    """
    return " ".join(f'"{a}"' if "'" in a and not re.search(r'["$`\\!]', a) else shlex.quote(a) for a in arguments)
