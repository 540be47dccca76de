# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can act on: what was found, where, what was expected, what to do."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import TracebackType

from .explanations import causes, explain


class MedadError(Exception):
    """Base of every error whose message alone is enough; a traceback would add nothing."""


class InputError(MedadError):
    """An input (file, data set, configuration value) cannot be used.

    Args:
        what: what was found, as a clause: ``"3 channels found"``.
        where: the file, data set or setting.
        expected: what would have been right.
        remedy: one sentence that says what to do, ending with a period.
    """

    def __init__(self, what: str, *, where: object, expected: str, remedy: str) -> None:
        self.what = what
        self.where = str(where)
        self.expected = expected
        self.remedy = remedy
        text = f"{where}: {what}. Expected {expected}. {remedy}"
        super().__init__(text.encode("utf-8", "backslashreplace").decode())  # a file name may be no text

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a data-loading worker process."""
        return _rebuild_input_error, (type(self), self.what, self.where, self.expected, self.remedy)


class CalibrationError(MedadError):
    """There is no usable calibration, so no mask or decision can be given."""


def calibration_error(where: object, what: str, expected: str, remedy: str) -> CalibrationError:
    """Build the error that says why there is no decision, in the words of :class:`InputError`."""
    return CalibrationError(f"{where}: {what}. Expected {expected}. {remedy}")


def _rebuild_input_error(kind: type[InputError], what: str, where: str, expected: str, remedy: str) -> InputError:
    return kind(what, where=where, expected=expected, remedy=remedy)


def find_medad_error(exception: BaseException | None) -> MedadError | None:
    """Find the ``MedadError`` behind an exception.

    MONAI wraps whatever a transform raises in a ``RuntimeError``; the cause holds the message for the user.

    Args:
        exception: any exception, or ``None``.

    Returns:
        The first ``MedadError`` along the chain of causes, or ``None``.
    """
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        if isinstance(exception, MedadError):
            return exception
        seen.add(id(exception))
        exception = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)
    return None


@contextmanager
def unwrap_errors() -> Iterator[None]:
    """Raise the ``MedadError`` behind an exception instead of it; other exceptions pass as they are.

    Raises:
        MedadError: see :func:`find_medad_error`.
    """
    try:
        yield
    except Exception as error:
        known = find_medad_error(error)
        if known is None:
            raise
        raise known from None


def reason(error: BaseException) -> str:
    """Say why a case failed: the message of the ``MedadError`` behind an exception, or its innermost cause."""
    known = find_medad_error(error)
    if known is not None:
        return str(known)
    root = causes(error)[-1]
    return f"{type(root).__name__}: {root}"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether memory was too small, of the computer or of a device."""
    text = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def brief(error: BaseException, longest: int = 160) -> str:
    """Put what a library says about a damaged file into one short, printable line.

    Args:
        error: any exception.
        longest: number of characters after which the text is cut.

    Returns:
        Its text, or its type where it has none to speak of.
    """
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    words = text.rpartition("ERROR: ")[2].split()  # ITK puts a file and line of its sources first
    line = " ".join(words) if len(words) > 1 else f"{type(error).__name__} {' '.join(words)}".strip()
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def plain_errors() -> None:
    """Show errors that a user can act on as one message instead of a traceback; for command-line runs.

    Other exceptions keep their traceback, and the exit status is 1 either way.
    """
    sys.excepthook = _show
    threading.excepthook = _show_of_thread
    print_any_text()


def print_any_text() -> None:
    """Let the console take what is no text, such as the bytes of a file name in another encoding, in digits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show_of_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_type is not SystemExit:  # it ends the thread, and is no error
        _show(hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback)


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    message = find_medad_error(error) or explain(error)
    if message is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        sys.stderr.write(f"\nerror: {message}\n")
