# SPDX-License-Identifier: Apache-2.0
"""A trained bundle on new images: five lines of Python, or ``python -m medad.predict``."""

from .detector import AnomalyDetector
from .result import AnomalyResult

__all__ = ["AnomalyDetector", "AnomalyResult"]
