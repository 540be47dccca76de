# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map.boxes import boxes_of


@pytest.mark.parametrize("shape", [(40, 21), (30, 20, 10), (1, 1), (5, 1, 7)])
@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 1.0])
def test_boxes_cover_the_mask_once(shape: tuple[int, ...], density: float) -> None:
    inside = torch.rand(1, *shape) < density
    covered = torch.zeros(1, *shape, dtype=torch.int64)
    for box in boxes_of(inside):
        part = inside[box]
        for axis in range(1, part.ndim):  # tight: something is set on every face
            assert part.narrow(axis, 0, 1).any() and part.narrow(axis, part.shape[axis] - 1, 1).any()
        covered[box] += 1
    assert covered.max() <= 1 and bool(covered[inside].all())


def test_boxes_follow_the_shape_of_an_object() -> None:
    grid = torch.meshgrid(*[torch.linspace(-1, 1, 64)] * 3, indexing="ij")
    ball = (sum(axis**2 for axis in grid) < 1)[None]
    boxes = list(boxes_of(ball))
    assert sum(ball[box].numel() for box in boxes) < 0.75 * ball.numel()
    assert boxes == sorted(boxes, key=lambda box: box[1].start) and len(boxes) == 8
