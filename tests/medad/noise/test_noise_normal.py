# SPDX-License-Identifier: Apache-2.0
"""Normal numbers from bits: against Box and Muller in double precision, and as distribution."""

import math

import pytest
import torch
from medad.noise.normal import normal_from_bits
from scipy import stats


def _bits(count: int) -> torch.Tensor:
    return torch.randint(-(2**63), 2**63 - 1, (count,), generator=torch.Generator().manual_seed(0))


def test_equals_the_formula() -> None:
    for number, value in zip(_bits(2000).tolist(), normal_from_bits(_bits(2000)).tolist(), strict=True):
        uniform = ((number >> 40 & 0x7FFFFF) + 0.5) / 2**23
        angle = ((number & 0xFFFFFF) + 0.5) / 2**24 - 0.5
        right = math.sqrt(-2 * math.log(uniform)) * math.sin(math.pi * angle)
        assert value == pytest.approx(right, abs=5e-4)


def test_distribution() -> None:
    values = normal_from_bits(_bits(100_000))
    assert values.dtype == torch.float32 and stats.kstest(values.numpy(), "norm").pvalue > 1e-3


def test_the_rarest_bits_give_finite_numbers() -> None:
    extremes = torch.tensor([a << 40 | b for a in (0, 0x7FFFFF) for b in (0, 0x7FFFFF, 0x800000, 0xFFFFFF)])
    values = normal_from_bits(extremes)
    assert values.isfinite().all()
    largest = math.sqrt(-2 * math.log(0.5 / 2**23))
    assert largest < 5.8 and float(values.abs().max()) == pytest.approx(largest, rel=1e-6)
    assert (values != 0).all() and torch.equal(values[:4], -values[:4].flip(0))  # symmetric, and never 0


def test_a_number_is_the_same_wherever_it_stands() -> None:
    bits = _bits(1003)
    whole = normal_from_bits(bits)
    for start in (1, 7, 1000):  # in the body of a vector loop, and at its end
        assert torch.equal(normal_from_bits(bits[start:].clone()), whole[start:])
