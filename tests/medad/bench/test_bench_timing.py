# SPDX-License-Identifier: Apache-2.0
"""Time and memory come out about right."""

import os
import time

import pytest
import torch
from medad.bench import Stopwatch, in_fresh_process, interleaved, machine, median_seconds, peak_extra_memory


def test_median_ignores_one_slow_call() -> None:
    pauses = iter([0.0, 0.01, 0.3, 0.01])
    assert 0.009 < median_seconds(lambda: time.sleep(next(pauses)), repeats=3) < 0.2


@pytest.mark.parametrize("numbers", [{"repeats": 0}, {"warmup": -1}])
def test_bad_numbers_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        median_seconds(lambda: None, **numbers)


def test_functions_are_called_in_turn() -> None:
    calls: list[str] = []
    results = interleaved({name: lambda name=name: calls.append(name) or len(calls) for name in "ab"}, 2, warmup=1)
    assert "".join(calls) == "ababab"
    assert results == {"a": [3, 5], "b": [4, 6]}
    with pytest.raises(ValueError, match="must be at least"):
        interleaved({}, repeats=0)


def test_stopwatch_adds_up_the_parts() -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch("pause"):
            time.sleep(0.01)
        with watch("nothing"):
            pass
    assert 0.02 < watch.seconds["pause"] < 0.5 and watch.seconds["nothing"] < watch.seconds["pause"]


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
