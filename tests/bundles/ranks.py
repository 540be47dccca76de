# SPDX-License-Identifier: Apache-2.0
"""Work on several CPU processes that belong together (gloo), as ``torchrun`` starts them, but forked from this one.

``torchrun`` imports everything once more in each process, which takes longer than the work itself.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GRACE = 10.0
"""Seconds that the other ranks have to end once one has failed; they may have something to say as well."""


@dataclass(frozen=True)
class Outcome:
    """Whether any rank failed, and what all of them said."""

    failed: bool
    said: str


def on_ranks(work: Callable[[], None], log: Path, ranks: int = 2, timeout: float = 120.0) -> Outcome:
    """Do the same work on every rank; when one of them fails, the others have a few seconds to end, too.

    Args:
        work: builds and runs a workflow with a configuration for several processes.
        log: new file for the output of all ranks.
        ranks: number of processes.
        timeout: seconds after which the ranks are taken to wait for each other forever.

    Returns:
        How it ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(ranks)}
    log.parent.mkdir(parents=True, exist_ok=True)
    running: set[int] = set()
    for rank in range(ranks):
        process = os.fork()
        if process == 0:
            _rank(work, {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}, log)
        running.add(process)
    failed = False
    end = time.monotonic() + timeout
    while running:
        for process in list(running):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                running.discard(process)
                if status:
                    failed, end = True, min(end, time.monotonic() + GRACE)
        if time.monotonic() > end:
            for process in running:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            break
        time.sleep(0.01)
    return Outcome(failed or bool(running), log.read_text())


def _rank(work: Callable[[], None], environment: dict[str, str], log: Path) -> None:
    """Work in the forked process, with its output in the file, and say an error as the command line does."""
    status = 1
    try:
        os.environ.update(environment)
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        sys.excepthook = sys.__excepthook__
        work()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
