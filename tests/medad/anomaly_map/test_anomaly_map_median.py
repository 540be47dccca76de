# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
import torch
from medad.anomaly_map import median
from medad.anomaly_map.median import cube_median
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


@pytest.mark.parametrize(
    ("shape", "dims"), [((40, 21), 2), ((21, 19, 17), 3), ((21, 19, 6), 2), ((3, 2), 2), ((1, 1, 1), 3)]
)
@pytest.mark.parametrize("part", ["empty", "everything", "corners", "ball", "two pieces"])
def test_inside_a_mask_the_medians_are_those_of_the_whole(shape: tuple[int, ...], dims: int, part: str) -> None:
    x, inside = torch.rand(2, *shape), torch.zeros(1, *shape, dtype=torch.bool)
    if part == "everything":
        inside[:] = True
    elif part == "corners":  # touches every border
        inside[(0, *(0,) * len(shape))] = inside[(0, *(-1,) * len(shape))] = True
    elif part != "empty":
        grid = torch.meshgrid(*(torch.linspace(-1, 1, size) for size in shape), indexing="ij")
        inside[0] = sum(axis**2 for axis in grid) < 0.8
        if part == "two pieces":
            inside[0, shape[0] // 4 : -(shape[0] // 4) or None] = False
    whole = cube_median(x, 5, dims)
    assert torch.equal(cube_median(x, 5, dims, inside), torch.where(inside, whole, x))


def test_no_operation_is_long_enough_for_torch_to_share_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    run = median._run
    monkeypatch.setattr(median, "_run", lambda wires, *rest: lengths.append(len(wires[0])) or run(wires, *rest))
    cube_median(torch.rand(1, 60, 60, 50), 3, 3)
    assert max(lengths) < 32768
