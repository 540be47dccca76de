# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks.patch_grid import resize_grid

GRIDS = [(3, 4), (2, 3, 2)]


@pytest.mark.parametrize("grid", GRIDS)
def test_the_same_grid_changes_nothing(grid: tuple[int, ...]) -> None:
    values = torch.randn(2, 3, *grid)
    assert torch.equal(resize_grid(values, list(grid)), values)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_values_between_two_points_are_weighted_means(axis: int) -> None:
    grid = [3, 3, 3]
    grid[axis] = 2
    values = torch.randn(1, 1, *grid)
    low, high = values.unbind(axis + 2)
    expected = torch.stack([low, 0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high, high], axis + 2)
    torch.testing.assert_close(resize_grid(values, list(expected.shape[2:])), expected)
    flat = values[:, :, 0] if axis else values[..., 0]
    torch.testing.assert_close(resize_grid(flat, [3, 3]), resize_grid(flat.unsqueeze(2), [1, 3, 3])[:, :, 0])
