# SPDX-License-Identifier: Apache-2.0
"""Fix thresholds and p-values on held-out normal images: ``models/calibration.json``."""

from __future__ import annotations
