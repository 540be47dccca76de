# SPDX-License-Identifier: Apache-2.0
"""Counting needs a bounded amount of memory; measured in a fresh interpreter, so this file imports little."""

from __future__ import annotations

import pytest
import torch
from medad.bench import in_fresh_process, peak_extra_memory
from medad.metrics import score_histogram


def extra_memory_of_a_histogram(voxels: int) -> int | None:
    scores = torch.rand(voxels)
    mask = (scores > 0.9).to(torch.uint8)
    score_histogram(scores[: 2**17], mask[: 2**17])
    return peak_extra_memory(lambda: score_histogram(scores, mask))


def test_extra_memory_does_not_grow_with_the_volume() -> None:
    voxels = 2**26
    extra = in_fresh_process(extra_memory_of_a_histogram, voxels)
    if extra is None:
        pytest.skip("needs /proc/self/clear_refs")
    assert extra < 120e6 < voxels * 4  # a copy of the scores would be more than twice that
