# SPDX-License-Identifier: Apache-2.0
"""Inferers: everything a method does at test time, from image to anomaly map."""

from __future__ import annotations

from .base import AnomalyInferer
from .reconstruction import ReconstructionInferer

__all__ = ["AnomalyInferer", "ReconstructionInferer"]
