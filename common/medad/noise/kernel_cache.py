# SPDX-License-Identifier: Apache-2.0
"""Kernel cache: compiled kernels in the user's cache folder, built once for all that they depend on."""

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..files import atomic_path

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
        The file. It appears whole or not at all, also where several processes build it at once. Where the cache folder
        cannot be written it is that of this process alone.

    Raises:
        KernelUnavailableError: if ``build`` fails, or no folder can be written.
    """
    key = hashlib.sha256("\0".join(depends_on).encode()).hexdigest()[:16]
    file_name = f"{Path(name).stem}-{key}{Path(name).suffix}"
    try:
        try:
            return _kept(cache_folder() / file_name, build)
        except (OSError, RuntimeError) as error:
            if isinstance(error, KernelUnavailableError):
                raise
            _logger.info("kernels are not kept (%s); this process builds its own", error)
            return _kept(Path(_folder_of_process().name) / file_name, build)
    except OSError as error:
        raise KernelUnavailableError(f"{file_name} cannot be written: {error}") from error


def cache_folder() -> Path:
    """Give the folder of built kernels: ``medad`` in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``).

    Raises:
        RuntimeError: if the user has no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medad"


def _kept(path: Path, build: Callable[[Path], None]) -> Path:
    if path.exists():
        return path
    with atomic_path(path, many_writers=True) as partial:
        _logger.info("building %s", path)
        build(partial)
    return path


@functools.cache
def _folder_of_process() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is deleted with the process."""
    return tempfile.TemporaryDirectory(prefix="medad-")
