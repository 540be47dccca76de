# SPDX-License-Identifier: Apache-2.0
"""Write a deterministic phantom data set: head-like images, with and without lesions."""

import argparse
from collections.abc import Sequence

from ..command_line import door, door_parser
from .dataset import DEFAULT_COUNTS, write_phantom_dataset


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("phantom", __doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--spatial_dims", type=int, choices=(2, 3), default=2, help="PNG images or NIfTI volumes")
    parser.add_argument("--image_size", type=int, nargs="+", help="voxels per axis (default: 128 128 or 48 48 48)")
    for split, count in DEFAULT_COUNTS.items():
        parser.add_argument(f"--{split}", type=int, default=count, metavar="N", help=f"images in the split {split}")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another population")
    given = parser.parse_args(arguments)
    counts = {split: getattr(given, split) for split in DEFAULT_COUNTS}
    with door(ValueError):
        print(write_phantom_dataset(given.out, given.spatial_dims, given.image_size, counts, given.seed, progress=True))


if __name__ == "__main__":
    main()
