# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.diffusion import check_value_range, from_network_range, to_network_range


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (0.0, 1.5), (-3.0, 7.0)])
def test_ends_become_minus_one_and_one_and_the_way_back_is_exact(value_range: tuple[float, float]) -> None:
    low, high = value_range
    ends = to_network_range(torch.tensor([low, (low + high) / 2, high]), value_range)
    torch.testing.assert_close(ends, torch.tensor([-1.0, 0.0, 1.0]))
    images = torch.randn(2, 1, 4, 4, 4, dtype=torch.float64) * 5  # values outside are continued, not clamped
    torch.testing.assert_close(from_network_range(to_network_range(images, value_range), value_range), images)


@pytest.mark.parametrize("value_range", [(1.0, 1.0), (1.0, 0.0), (1.0,), (float("nan"), 1.0)])
def test_a_range_without_extent_is_refused(value_range: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="value_range"):
        check_value_range(value_range)
