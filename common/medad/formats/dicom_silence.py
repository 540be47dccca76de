# SPDX-License-Identifier: Apache-2.0
"""Silence about DICOM headers: what libraries say of them quotes patients."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from monai.utils import optional_import

pydicom, _ = optional_import("pydicom")


@contextmanager
def silent_headers() -> Iterator[None]:
    """Let nothing be said about headers: pydicom and highdicom quote names and dates in their warnings."""
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
