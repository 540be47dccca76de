# SPDX-License-Identifier: Apache-2.0
"""ITK without its warnings, which go to the console past all logging and name lines of its sources."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_itk() -> Iterator[None]:
    """Keep ITK from writing to the console."""
    import itk

    display = itk.Object.GetGlobalWarningDisplay()
    itk.Object.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        itk.Object.SetGlobalWarningDisplay(display)
