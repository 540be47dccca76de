# SPDX-License-Identifier: Apache-2.0
"""Door: ``python -m medad.bench <what> [--out table.csv]`` prints a table and writes it as CSV."""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import MedadError

BENCHES = {
    "metrics": "voxel metrics of one volume against scikit-learn",
    "features": "training on kept features of a frozen backbone against training on images",
    "training": "training of a bundle against a plain PyTorch loop",
    "inference": "inference of a bundle, files to files, against MONAI's stock transforms",
    "postprocessing": "median, erosion and small components of one map against SciPy",
    "noise": "fractal simplex noise in each form, against opensimplex",
    "startup": "import of medad after that of MONAI",
}
"""What each module measures; it has ``add_arguments(parser)`` and ``run(args) -> rows``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark.

    Args:
        arguments: command line without the program; None reads ``sys.argv``.

    Returns:
        Exit status: 0, or 1 after a one-line error message.
    """
    parser = argparse.ArgumentParser(prog="python -m medad.bench", description="Measure medad on this machine.")
    commands = parser.add_subparsers(dest="what", required=True, metavar="what")
    modules = {name: importlib.import_module(f".{name}", __package__) for name in BENCHES}
    for name, description in BENCHES.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument("--out", type=Path, help="CSV file to write")
        modules[name].add_arguments(command)
    args = parser.parse_args(arguments)
    try:
        rows = modules[args.what].run(args)
    except MedadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(format_table(rows))
    if args.out is not None:
        write_csv(rows, args.out)
    return 0


def format_table(rows: Sequence[dict[str, object]]) -> str:
    """Lay rows of the same columns out as text, a line per column: benchmarks have few rows and many columns."""
    lines = [[name, *(_text(row[name]) for row in rows)] for name in rows[0]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def write_csv(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write rows of the same columns as CSV; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", newline="", dir=path.parent, suffix=".tmp", delete=False) as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _text(value: object) -> str:
    return "" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
