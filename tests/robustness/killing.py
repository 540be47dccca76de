# SPDX-License-Identifier: Apache-2.0
"""Run work in a forked process and kill it with SIGKILL at a chosen change of its files, or after some time."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
_WRITES = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Moment:
    """When to kill: before the n-th change of a file (counted from 1), or after a time."""

    change: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a process ended, how many changes it made and how long it took."""

    killed: bool
    changes: int
    seconds: float


def run_forked(work: Callable[[], None], folder: Path, moment: Moment = Moment()) -> Outcome:
    """Do some work in a copy of this process, which has imported everything already.

    Args:
        work: what to do; an exception of it ends the test.
        folder: changes of files below it are counted.
        moment: when to kill the process; by default never.

    Returns:
        How it ended.
    """
    reader, writer = os.pipe()
    start = time.perf_counter()
    process = os.fork()
    if process == 0:
        _child(work, folder, moment, writer)
    os.close(writer)
    if moment.seconds is not None:
        time.sleep(moment.seconds)
        os.kill(process, signal.SIGKILL)  # a process that has ended waits for its parent: the number is still its own
    with os.fdopen(reader, "rb") as pipe:
        changes = len(pipe.read())
    _, status = os.waitpid(process, 0)
    killed = os.WIFSIGNALED(status)
    if not killed and os.waitstatus_to_exitcode(status):
        raise RuntimeError("the forked process failed; its error stands above")
    return Outcome(killed, changes, time.perf_counter() - start)


def _child(work: Callable[[], None], folder: Path, moment: Moment, writer: int) -> None:
    changes = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if not (event in _CHANGES or (event == "open" and _is_write(arguments))):
            return
        if not str(arguments[0]).startswith(str(folder)):
            return
        changes += 1
        os.write(writer, b".")
        if changes == moment.change:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(watch)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _is_write(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & _WRITES)
