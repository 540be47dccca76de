# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest
from medad.diffusion import (
    level_grid,
)


@pytest.mark.parametrize(("start", "steps"), [(250, 25), (250, 7), (10, 10), (1, 1), (500, 3), (7, 5)])
def test_a_grid_falls_evenly_from_the_start_to_the_image(start: int, steps: int) -> None:
    grid = level_grid(start, steps)
    assert len(grid) == steps + 1 and grid[0] == start and grid[-1] == 0
    assert all(high > low for high, low in pairwise(grid))
    exact = [start - start * index / steps for index in range(steps + 1)]
    assert max(abs(a - b) for a, b in zip(grid, exact, strict=True)) <= 0.5


@pytest.mark.parametrize("steps", [0, 11])
def test_a_grid_with_more_steps_than_levels_is_refused(steps: int) -> None:
    with pytest.raises(ValueError, match=f"steps={steps}"):
        level_grid(10, steps)
