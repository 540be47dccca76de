# SPDX-License-Identifier: Apache-2.0
"""Benchmark of start-up: seconds and packages that importing medad adds to importing MONAI."""

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

from .timing import machine

# whatever a run of a bundle may need: all modules that are no command of their own
_SCRIPT = """
import importlib, json, pathlib, sys, time
start = time.perf_counter()
import monai
middle = time.perf_counter()
before = set(sys.modules)
import medad
for path in sorted(pathlib.Path(medad.__file__).parent.iterdir()):
    if path.suffix == ".py" or (path / "__init__.py").is_file() and not (path / "__main__.py").is_file():
        importlib.import_module(f"medad.{path.stem}")
end = time.perf_counter()
added = set(sys.modules) - before
print(json.dumps({
    "monai_s": middle - start,
    "medad_s": end - middle,
    "modules": sum(name.split(".")[0] == "medad" for name in added),
    "packages": sorted({name.split(".")[0] for name in added} - set(sys.stdlib_module_names) - {"medad"}),
}))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--repeats", type=int, default=9, help="interpreters started; medians are written")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Start interpreters that import MONAI, then medad and its rooms.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        One row.
    """
    starts = [start() for _ in range(args.repeats + 1)][1:]  # the first one fills the disk cache
    return [
        {
            "benchmark": "startup",
            "monai_s": round(median(each["monai_s"] for each in starts), 3),
            "medad_adds_s": round(median(each["medad_s"] for each in starts), 3),
            "modules_of_medad": starts[0]["modules"],
            "packages_added": " ".join(starts[0]["packages"]) or "none",
            **machine(),
        }
    ]


def start() -> dict[str, Any]:
    """Start one interpreter.

    Returns:
        ``monai_s`` and ``medad_s``: seconds; ``modules``: how many modules of medad were imported; ``packages``: names
        of the packages that neither MONAI nor the standard library had brought in before.
    """
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
