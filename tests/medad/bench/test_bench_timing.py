# SPDX-License-Identifier: Apache-2.0
"""Time and memory come out about right."""

from __future__ import annotations

import os
import time

import pytest
import torch
from medad.bench import in_fresh_process, machine, median_seconds, peak_extra_memory


def test_median_ignores_one_slow_call() -> None:
    pauses = iter([0.0, 0.01, 0.3, 0.01])
    assert 0.009 < median_seconds(lambda: time.sleep(next(pauses)), repeats=3) < 0.2


@pytest.mark.parametrize("numbers", [{"repeats": 0}, {"warmup": -1}])
def test_bad_numbers_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        median_seconds(lambda: None, **numbers)


def allocate() -> tuple[int, int | None]:
    return os.getpid(), peak_extra_memory(lambda: bytearray(os.urandom(64_000_000)))


def test_a_fresh_process_sees_a_memory_peak_that_is_gone_again() -> None:
    process, extra = in_fresh_process(allocate)
    assert process != os.getpid()
    if extra is not None:  # None: not a Linux system
        assert 60e6 < extra < 200e6


def test_machine_names_hardware_and_torch() -> None:
    row = machine()
    assert row["hardware"]
    assert row["torch"] == torch.__version__
    assert int(row["cores"]) >= 1
