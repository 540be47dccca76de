# SPDX-License-Identifier: Apache-2.0
"""Fetch published weights of a backbone into a file; training and inference take that file and never fetch."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..command_line import door, door_parser
from ..files import user_path
from .fetch import fetch_weights
from .sources import published_channels

_EXPECTED_IMAGES = {
    1: """
These weights expect images of mean 0 and standard deviation 1; the two last options pass images on as they are.
For images in [0, 1], as the preprocessing of medad gives them, put the mean and standard deviation of your images.""",
    3: """
These weights expect the mean and standard deviation of ImageNet: the defaults of backbone_mean and backbone_std.""",
}


def usage(backbone_name: str, path: Path, sha256: str) -> str:
    """Write the options that make a training use the file.

    Args:
        backbone_name: backbone that the weights belong to.
        path: file with the weights.
        sha256: its hash.

    Returns:
        One option a line, then what images the weights expect.
    """
    channels = published_channels(backbone_name)
    lines = [
        f"--backbone_name {shlex.quote(backbone_name)}",
        f"--backbone_weights {shlex.quote(str(path))}",
        f"--backbone_sha256 {sha256}",
    ]
    if channels == 1:
        lines += ['--backbone_mean "[0.0]"', '--backbone_std "[1.0]"']
    return "".join(f"    {line}\n" for line in lines) + _EXPECTED_IMAGES[channels]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("fetch_backbone", __doc__)
    parser.add_argument("name", metavar="NAME", help="such as efficientnet-b4, resnet10, torchvision:NAME, timm:NAME")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--spatial_dims", "--spatial-dims", type=int, choices=(2, 3), default=2, help="spatial axes (default: 2)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    given = parser.parse_args(arguments)
    path = user_path(given.out).resolve()
    with door(ValueError):  # names the backbones that there are
        sha256 = fetch_weights(given.name, path, given.spatial_dims, given.overwrite)
    print(f"{path}\nSHA-256 {sha256}\n\nUse it with\n{usage(given.name, path, sha256)}")
    print("Whether the licence of these weights allows your use is for you to check.")


if __name__ == "__main__":
    main()
