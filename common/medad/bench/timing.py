# SPDX-License-Identifier: Apache-2.0
"""Timing: median wall time, in turn, peak extra memory, and a description of the machine."""

import gc
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from ..checks import check_at_least

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Name = TypeVar("_Name")
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def median_seconds(
    function: Callable[[], object], repeats: int = 5, warmup: int = 1, device: torch.device | str = "cpu"
) -> float:
    """Measure how long a call takes.

    Args:
        function: what to measure.
        repeats: measured calls, at least 1; the median is returned.
        warmup: calls before, not measured.
        device: where the work runs; a CUDA device is synchronized before the clock is read.

    Returns:
        Median wall time in seconds.

    Raises:
        ValueError: if ``repeats`` is below 1 or ``warmup`` negative.
    """
    _check_rounds(repeats, warmup)
    for _ in range(warmup):
        function()
    durations = []
    for _ in range(repeats):
        _synchronize(device)
        start = time.perf_counter()
        function()
        _synchronize(device)
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def interleaved(
    functions: Mapping[_Name, Callable[[], _T]], repeats: int = 5, warmup: int = 1
) -> dict[_Name, list[_T]]:
    """Call functions in turn, A B A B ..., so that what else happens on the machine meets all of them.

    Args:
        functions: what to call, by name; they measure themselves.
        repeats: rounds whose results are kept, at least 1.
        warmup: rounds before.

    Returns:
        The results of each function, in the order of the calls.

    Raises:
        ValueError: if ``repeats`` is below 1 or ``warmup`` negative.
    """
    _check_rounds(repeats, warmup)
    results: dict[_Name, list[_T]] = {name: [] for name in functions}
    for _ in range(warmup + repeats):
        for name, function in functions.items():
            results[name].append(function())
    return {name: each[warmup:] for name, each in results.items()}


class Stopwatch:
    """Add up the wall time of the named parts of some work: ``with watch("load"): ...``.

    Args:
        device: where the work runs; a CUDA device is synchronized before the clock is read.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Measure one part; a part measured twice has the sum."""
        _synchronize(self.device)
        start = time.perf_counter()
        yield
        _synchronize(self.device)
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


def peak_extra_memory(function: Callable[[], object]) -> int | None:
    """Measure by how much a call raises the resident memory of this process at its peak.

    Memory that the process freed before but still holds hides what the call needs; measure in a fresh process
    (:func:`in_fresh_process`). Reads the kernel's high-water mark, so allocations of every library count.

    Args:
        function: what to measure.

    Returns:
        Bytes, or None where the system has no ``/proc/self/clear_refs`` (it is Linux only).
    """
    gc.collect()
    try:
        _CLEAR_REFS.write_text("5")
        before = _status_bytes("VmRSS")
        function()
        return max(0, _status_bytes("VmHWM") - before)
    except OSError:
        return None


def in_fresh_process(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a module-level function in a new interpreter and return its result, which must be picklable."""
    # an executor, since a pool waits for ever where the process cannot import the function
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *args, **kwargs).result()


def machine(device: torch.device | str = "cpu") -> dict[str, str | int]:
    """Describe what the numbers were measured on, to stand in every row of a table.

    Args:
        device: where the work runs.

    Returns:
        ``hardware, cores, threads, torch, python``.
    """
    chosen = torch.device(device)
    hardware = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else _cpu_name()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "hardware": hardware,
        "cores": cores,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _check_rounds(repeats: int, warmup: int) -> None:
    check_at_least(1, repeats=repeats)
    check_at_least(0, warmup=warmup)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no field {field}.")


def _synchronize(device: torch.device | str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
