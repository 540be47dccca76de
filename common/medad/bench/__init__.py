# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: ``python -m medad.bench <what>`` measures this machine and writes a table that can be committed."""

from __future__ import annotations

from .timing import in_fresh_process, machine, median_seconds, peak_extra_memory

__all__ = ["in_fresh_process", "machine", "median_seconds", "peak_extra_memory"]
