# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.noise import counter_bits, counter_integers, counter_normal, counter_uniform
from scipy import stats

_MASK = (1 << 64) - 1


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def test_bits_equal_splitmix64_in_python_integers() -> None:
    seeds = [0, 1, 123456789, 2**62 - 1]
    drawn = counter_bits(torch.tensor(seeds), 5)
    for row, seed in zip(drawn.tolist(), seeds, strict=True):
        expected = [_mix((_mix(seed) + i * 0x9E3779B97F4A7C15) & _MASK) for i in range(1, 6)]
        assert [value & _MASK for value in row] == expected


def test_normal_numbers_are_normal_and_independent_between_seeds() -> None:
    values = counter_normal(torch.arange(4), (200, 100))
    for sample in values:
        assert stats.kstest(sample.flatten().numpy(), "norm").pvalue > 1e-3
    correlation = torch.corrcoef(values.flatten(1)) - torch.eye(4)
    assert correlation.abs().max() < 0.03


def test_uniform_numbers_are_uniform_and_inside() -> None:
    values = counter_uniform(torch.tensor([7]), (100_000,))
    assert values.min() > 0 and values.max() < 1
    assert stats.kstest(values.flatten().numpy(), "uniform").pvalue > 1e-3


def test_a_sample_depends_on_its_seed_only() -> None:
    batch = counter_normal(torch.tensor([3, 1, 2]), (1, 8, 8))
    alone = counter_normal(torch.tensor([1]), (1, 8, 8))
    assert torch.equal(batch[1:2], alone)


@pytest.mark.parametrize("high", [(5,), (96, 96), (7, 9, 11)])
def test_integers_stay_below_their_bounds_and_reach_them(high: tuple[int, ...]) -> None:
    values = counter_integers(torch.arange(2000), high)
    assert values.shape == (2000, len(high))
    for axis, bound in enumerate(high):
        assert set(values[:, axis].tolist()) == set(range(bound))
