# SPDX-License-Identifier: Apache-2.0
"""Write the configs of bundles anew, from their method.json and the skeletons."""

from collections.abc import Sequence
from pathlib import Path

from ..command_line import door, door_parser
from .skeleton import SKELETONS, tidy, write_configs


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("new_bundle.write", __doc__ or "")
    parser.add_argument("bundles", nargs="+", type=Path, help="folders with a method.json")
    given = parser.parse_args(arguments)
    with door():
        for skeleton in SKELETONS.glob("*.json"):
            tidy(skeleton)
        for bundle in given.bundles:
            print(f"{bundle}: {len(write_configs(bundle))} files")


if __name__ == "__main__":
    main()
