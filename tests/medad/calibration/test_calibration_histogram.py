# SPDX-License-Identifier: Apache-2.0
import pickle

import numpy as np
import pytest
import torch
from medad.calibration.histogram import Histogram


def counted(values: torch.Tensor, mantissa_bits: int = 14, weight: float = 1.0) -> Histogram:
    histogram = Histogram(mantissa_bits)
    histogram.add(values, weight)
    return histogram


@pytest.mark.parametrize("count", [1000, 100_000])
@pytest.mark.parametrize("mantissa_bits", [4, 10, 14])
def test_a_threshold_is_a_quantile_to_the_width_of_a_bin(count: int, mantissa_bits: int) -> None:
    values = torch.rand(count, generator=torch.Generator().manual_seed(0))
    histogram = counted(values, mantissa_bits)
    exact = np.sort(values.numpy())[::-1]
    for rate, threshold in zip((0.5, 0.01), histogram.thresholds((0.5, 0.01)), strict=True):
        low = float(exact[int(rate * count)])
        assert low <= threshold <= low * (1 + 2.0**-mantissa_bits)
        assert histogram.weight_above([threshold])[0] == (values > np.float32(threshold)).sum() <= rate * count


def test_what_is_left_without_a_part_is_what_did_not_come_with_it() -> None:
    first, second = torch.rand(500), torch.rand(300) + 0.5
    whole = counted(first, weight=0.3)
    whole.merge(part := counted(second, weight=0.1))
    rest = whole.without(part)
    assert rest.shift == whole.shift
    np.testing.assert_allclose(rest.weights, counted(first, weight=0.3).weights, atol=1e-12)
    assert rest.total == pytest.approx(150.0)


def test_zeros_have_the_threshold_zero_and_nothing_has_none() -> None:
    zeros = counted(torch.tensor([0.0, -0.0]))
    assert zeros.thresholds([0.1]) == [0.0] and zeros.weight_above([0.0])[0] == 0
    assert Histogram(14).thresholds([0.1]) == []


def test_it_travels_small() -> None:
    histogram = counted(torch.rand(1000))
    packed = pickle.dumps(histogram)
    assert len(packed) < 40_000
    np.testing.assert_array_equal(pickle.loads(packed).weights, histogram.weights)
