# SPDX-License-Identifier: Apache-2.0
"""Door: ``python -m medad.phantom --out DIR`` writes a phantom data set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import MedadError
from .dataset import DEFAULT_COUNTS, write_phantom_dataset


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and write the data set.

    Args:
        arguments: command line without the program's name; ``None`` takes that of the process.

    Returns:
        Exit status: 0 written or already there, 1 refused.
    """
    parser = argparse.ArgumentParser(
        prog="python -m medad.phantom",
        description="Write a deterministic phantom data set: head-like images, with and without lesions.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--spatial_dims", type=int, choices=(2, 3), default=2, help="PNG images or NIfTI volumes")
    parser.add_argument("--image_size", type=int, nargs="+", help="voxels per axis (default: 128 128 or 48 48 48)")
    for split, count in DEFAULT_COUNTS.items():
        parser.add_argument(f"--{split}", type=int, default=count, metavar="N", help=f"images in the split {split}")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another population")
    options = parser.parse_args(arguments)
    counts = {split: getattr(options, split) for split in DEFAULT_COUNTS}
    try:
        path = write_phantom_dataset(
            options.out, options.spatial_dims, options.image_size, counts, options.seed, progress=True
        )
    except (MedadError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
