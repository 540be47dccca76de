# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from medad.postprocessing import median
from medad.postprocessing.median import cube_median
from scipy import ndimage


@pytest.mark.parametrize(
    ("shape", "kernel_size"), [((17, 13), 3), ((17, 13), 5), ((17, 13), 7), ((9, 8, 7), 3), ((9, 8, 7), 5)]
)
@pytest.mark.parametrize("ties", [False, True])
def test_equals_scipy(shape: tuple[int, ...], kernel_size: int, ties: bool) -> None:
    x = torch.randint(0, 3, (2, *shape)).float() if ties else torch.randn(2, *shape)
    expected = np.stack([ndimage.median_filter(c, kernel_size, mode="nearest") for c in x.numpy()])
    assert np.array_equal(cube_median(x, kernel_size, len(shape)).numpy(), expected)


@pytest.mark.parametrize(("lists", "length"), [(2, 1), (3, 1), (5, 1), (3, 2), (2, 5), (3, 3), (4, 3)])
def test_network_sorts_every_zero_one_input(lists: int, length: int) -> None:
    """A network that sorts all inputs of zeros and ones sorts all inputs (zero-one principle)."""
    steps, outputs = median._network(lists, length, False)
    cases = [[0.0] * (length - ones) + [1.0] * ones for ones in range(length + 1)]
    joined = torch.tensor([list(itertools.chain(*rows)) for rows in itertools.product(cases, repeat=lists)])
    result = torch.stack(median._run(list(joined.T.contiguous()), steps, outputs), dim=1)
    assert torch.equal(result, joined.sort(dim=1).values)
    only, middle = median._network(lists, length, True)
    (chosen,) = median._run(list(joined.T.contiguous()), only, middle)
    assert torch.equal(chosen, result[:, lists * length // 2]) and len(only) <= len(steps)


@pytest.mark.parametrize("dims", [2, 3])
def test_does_not_depend_on_the_stretches(monkeypatch: pytest.MonkeyPatch, dims: int) -> None:
    x = torch.rand(1, 30, 30, 20)
    monkeypatch.setattr(median, "_WORKING_VALUES", {"cpu": 1})
    small = cube_median(x, 3, dims)
    monkeypatch.setattr(median, "_WORKING_VALUES", {"cpu": 1 << 30})
    assert torch.equal(cube_median(x, 3, dims), small)


def test_input_stays_as_it_was() -> None:
    x = torch.rand(1, 6, 6)
    before = x.clone()
    for kernel_size in (1, 3):
        y = cube_median(x, kernel_size, 2)
        y += 1.0
        assert torch.equal(x, before)
    assert cube_median(torch.rand(1, 0, 4), 3, 2).shape == (1, 0, 4)
