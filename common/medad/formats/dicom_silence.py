# SPDX-License-Identifier: Apache-2.0
"""Silence about DICOM headers: what libraries say of them quotes patients."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from monai.utils import optional_import

pydicom, _ = optional_import("pydicom")


@contextmanager
def silent_headers() -> Iterator[None]:
    """Let nothing be said about headers: pydicom and highdicom quote names and dates in their warnings."""
    _shared.enter()
    try:
        yield
    finally:
        _shared.leave()


class _SharedSilence:
    """Silence of the whole process, as filters and levels are: the first one in brings it, the last one out ends it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._restore = ExitStack()

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._restore.enter_context(_silenced())
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._restore.close()


_shared = _SharedSilence()


@contextmanager
def _silenced() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
