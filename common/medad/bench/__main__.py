# SPDX-License-Identifier: Apache-2.0
"""Measure medad on this machine, and write the numbers as a table."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from ..command_line import door, door_parser
from ..files import write_csv

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("bench", __doc__)
    commands = parser.add_subparsers(dest="what", required=True, metavar="what")
    modules = {name: importlib.import_module(f".{name}", __package__) for name in BENCHES}
    for name, description in BENCHES.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument("--out", type=Path, help="CSV file to write")
        modules[name].add_arguments(command)
    args = parser.parse_args(arguments)
    with door():
        rows = modules[args.what].run(args)
    print(format_table(rows))
    if args.out is not None:
        write_csv(args.out, list(rows[0]), rows)


def format_table(rows: Sequence[dict[str, object]]) -> str:
    """Lay rows of the same columns out as text, a line per column: benchmarks have few rows and many columns."""
    lines = [[name, *("" if row[name] is None else str(row[name]) for row in rows)] for name in rows[0]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


if __name__ == "__main__":
    main()
