# SPDX-License-Identifier: Apache-2.0
"""Compiled kernels in the cache folder of the user: each is built once for everything that it depends on."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

_logger = logging.getLogger(__name__)


class KernelUnavailableError(RuntimeError):
    """A compiled kernel cannot be had here; the message says why."""


def cached_kernel(name: str, depends_on: Sequence[str], build: Callable[[Path], None]) -> Path:
    """Give the file of a kernel; build it if it is not there yet.

    Args:
        name: file name, such as ``"simplex.so"``; a key is put into it.
        depends_on: everything that makes another kernel: sources, flags, compiler, processor.
        build: writes the kernel to a path.

    Returns:
        The file. It appears whole or not at all, also where several processes build it at once.

    Raises:
        KernelUnavailableError: if ``build`` fails, or the folder cannot be written.
    """
    key = hashlib.sha256("\0".join(depends_on).encode()).hexdigest()[:16]
    path = cache_folder() / f"{Path(name).stem}-{key}{Path(name).suffix}"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                _logger.info("building %s", path)
                build(Path(folder) / name)
                (Path(folder) / name).replace(path)
    except OSError as error:
        raise KernelUnavailableError(f"{path} cannot be written: {error}") from error
    return path


def cache_folder() -> Path:
    """Give the folder of built kernels: ``medad`` in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medad"
