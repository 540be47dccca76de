# SPDX-License-Identifier: Apache-2.0
"""The frame of the doors ``python -m medad.<verb>``: arguments, messages on the way, errors, exit status."""

import argparse
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .configuration import split_overrides
from .errors import MedadError, print_any_text, unwrap_errors
from .explanations import explain

_LEVELS = {"medad": logging.INFO, "monai": logging.ERROR, "ignite": logging.CRITICAL, "torch.onnx": logging.ERROR}
"""MONAI and ignite say errors a second time."""
_INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells expect it."""
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # as argparse means it


def door_parser(verb: str, description: str, keys_of: str | None = None, **kwargs: Any) -> argparse.ArgumentParser:
    """Make the parser of a door; no argument may be abbreviated.

    Args:
        verb: the door is ``python -m medad.<verb>``.
        description: its first line is shown.
        keys_of: name of the configuration whose keys can be set by ``--KEY VALUE``, with an example.
        kwargs: further arguments of the parser.

    Returns:
        The parser.
    """
    return argparse.ArgumentParser(
        prog=f"python -m medad.{verb}",
        description=description.splitlines()[0],
        epilog=keys_of and f"Any other --KEY VALUE sets a key of {keys_of}.",
        allow_abbrev=False,
        **kwargs,
    )


def parse_with_keys(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Parse a command line that may set keys of a configuration, too.

    What begins with one dash and is no option is a path: doors have short options for help alone.

    Args:
        parser: of the door.
        arguments: the command line; that of the process if it is None.

    Returns:
        The options of the door, and values by key.

    Raises:
        InputError: if a key has no value.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = tuple(parser._option_string_actions)
    own, overrides = split_overrides(given, options)
    return parser.parse_args([each if each in options else _as_path(each) for each in own]), overrides


def _as_path(argument: str) -> str:
    is_path = re.match("-[^-]", argument) and not _NUMBER.fullmatch(argument)
    return f"./{argument}" if is_path else argument


@contextmanager
def door(*refusals: type[Exception]) -> Iterator[None]:
    """Show the messages of medad while something runs, and end the process with one line if it cannot be done.

    Args:
        refusals: further errors whose message is enough.

    Raises:
        SystemExit: with ``error: ...`` and the status 1, for an error that a user can act on; 130 after Ctrl-C.
    """
    print_any_text()
    logging.basicConfig(format="%(message)s")
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    shown: tuple[type[Exception], ...] = (MedadError, *refusals)
    try:
        with unwrap_errors():
            yield
    except shown as error:
        sys.exit(f"error: {error}")
    except BaseException as error:
        message = explain(error)
        if message is None:
            raise
        if isinstance(error, KeyboardInterrupt):
            sys.stderr.write(f"\nerror: {message}\n")
            sys.exit(_INTERRUPTED)
        sys.exit(f"error: {message}")
