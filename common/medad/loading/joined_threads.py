# SPDX-License-Identifier: Apache-2.0
"""Threads that have ended when their work has, also after an error.

A thread that still computes while the interpreter ends may abort the process: status 134 in place of a clear error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool


@contextmanager
def joined_threads(count: int) -> Iterator[ThreadPool]:
    """Give a pool of threads, and wait for all of them at the end.

    Args:
        count: number of threads.

    Yields:
        The pool.
    """
    pool = ThreadPool(count)
    try:
        yield pool
    finally:
        pool.terminate()
        pool.join()
