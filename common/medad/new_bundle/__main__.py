# SPDX-License-Identifier: Apache-2.0
"""Begin a new bundle that runs at once; then change its method.json."""

from collections.abc import Sequence
from pathlib import Path

from ..command_line import door, door_parser
from .create import create_bundle
from .skeleton import METHOD, kinds


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the door.

    Args:
        arguments: the command line; that of the process by default.
    """
    parser = door_parser("new_bundle", __doc__ or "")
    parser.add_argument("name", help="name of the bundle, lower-case letters, digits and _")
    parser.add_argument("--like", required=True, help=f"{', '.join(kinds())}, or the name of another bundle")
    parser.add_argument("--out", type=Path, default=Path("bundles"), help="folder of the bundles (default: bundles)")
    given = parser.parse_args(arguments)
    with door():
        bundle = create_bundle(given.name, given.like, given.out)
        print(f"{bundle}: now change {METHOD} and run make bundles; write docs/README.md, the model card.")


if __name__ == "__main__":
    main()
