# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: ``python -m medad.bench <what>`` measures this machine and writes a table that can be committed."""

from .timing import Stopwatch, in_fresh_process, interleaved, machine, median_seconds, peak_extra_memory

__all__ = ["Stopwatch", "in_fresh_process", "interleaved", "machine", "median_seconds", "peak_extra_memory"]
