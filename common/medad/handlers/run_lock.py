# SPDX-License-Identifier: Apache-2.0
"""Run lock: two runs at once never write the same files."""

import errno
import logging
from pathlib import Path

from filelock import FileLock, Timeout
from ignite.engine import Engine, Events

from ..errors import InputError
from .first_rank import on_first_rank
from .run_end import at_the_end

_logger = logging.getLogger(__name__)

RUN_LOCK = ".run.lock"
"""File of the lock in the folder of an inference or evaluation."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What file systems without locks answer, among them some network drives."""


class RunLock:
    """Hold a lock from the start of a run to its end.

    The system lets the lock go with the process, so a killed run stops no later one; the empty file stays.

    Args:
        path: the file of the lock.
        guarded: what is written, named in the refusal.
    """

    def __init__(self, path: Path, guarded: Path) -> None:
        self.path = path
        self.guarded = guarded
        self.follows_the_end = False
        # a file as a lock, as on systems without flock, would be in the way after a kill
        self.lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.take)

    def take(self, engine: Engine) -> None:
        """Take the lock on the first rank, until all other handlers have written what they write at the end.

        Raises:
            InputError: if another run has it.
        """
        on_first_rank(self._acquire)
        if not self.follows_the_end:  # told now, so that it is called last
            at_the_end(engine, self.let_go)
            self.follows_the_end = True

    def let_go(self, engine: Engine) -> None:
        """Let the lock go."""
        self.lock.release(force=True)

    def _acquire(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
        except Timeout:
            raise InputError(
                "another run is writing there",
                where=self.guarded,
                expected="one run at a time",
                remedy="Wait for its end, or choose another folder.",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise InputError(
                    f"it cannot be written ({error.strerror})",
                    where=self.guarded,
                    expected="a folder in which files can be made",
                    remedy="Choose another folder, or change its permissions.",
                ) from error
            _logger.warning("%s: this file system has no locks; take care that no other run writes there", self.guarded)
