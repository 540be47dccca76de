# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from medad.transforms import draw_balls
from torch import Tensor


def _brute_force(centers: Tensor, radii: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Measure from every voxel to every center."""
    voxels = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), dim=-1).double()
    inside = [(voxels - c).square().sum(-1) <= r**2 for c, r in zip(centers.double(), radii.double(), strict=True)]
    return torch.stack(inside).any(0).to(torch.uint8)[None]


@pytest.mark.parametrize("shape", [(40, 31), (1, 60), (15, 12, 17), (12, 1, 9)])
@pytest.mark.parametrize("largest", [0.8, 3.0, 12.0])
def test_equals_brute_force(shape: tuple[int, ...], largest: float) -> None:
    """Also across the border, and with balls that are wholly outside."""
    for count in (1, 2, 9):
        centers = (torch.rand(count, len(shape)) * 1.6 - 0.3) * torch.tensor(shape)
        radii = torch.rand(count) * largest
        mask = draw_balls(centers, radii, shape)
        assert mask.dtype == torch.uint8 and mask.shape == (1, *shape)
        assert torch.equal(mask, _brute_force(centers, radii, shape))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_border_of_whole_and_half_numbers_is_inside(dims: int, offset: float) -> None:
    centers, radii = torch.full((4, dims), 9 + offset), torch.tensor([0.0, 1.0, 2.5, 5.0])
    found = [draw_balls(centers[i : i + 1], radii[i : i + 1], (20,) * dims) for i in range(4)]
    assert all(torch.equal(found[i], _brute_force(centers[[i]], radii[[i]], (20,) * dims)) for i in range(4))
    if offset == 0:
        # 3, 4, 5 is a right triangle
        assert [int(mask.sum()) for mask in found[:2]] == [1, 2 * dims + 1] and found[3][(0, 12, 13, *[9] * (dims - 2))]


def test_area_and_volume() -> None:
    circle = draw_balls(torch.tensor([[250.2, 249.7]]), torch.tensor([200.0]), (500, 500))
    assert int(circle.sum()) == pytest.approx(math.pi * 200**2, rel=1e-3)
    ball = draw_balls(torch.tensor([[32.2, 31.7, 32.0]]), torch.tensor([28.0]), (64, 64, 64))
    assert int(ball.sum()) == pytest.approx(4 / 3 * math.pi * 28**3, rel=1e-3)


def test_overlap_counts_once_and_nothing_is_empty() -> None:
    center = torch.tensor([[8.0, 8.0]])
    once = draw_balls(center, torch.tensor([5.0]), (17, 17))
    assert torch.equal(draw_balls(center.repeat(3, 1), torch.tensor([5.0, 5.0, 2.0]), (17, 17)), once)
    assert draw_balls(torch.zeros(0, 3), torch.zeros(0), (4, 5, 6)).shape == (1, 4, 5, 6)
    assert not draw_balls(torch.zeros(0, 2), torch.zeros(0), (4, 5)).any()
    assert not draw_balls(torch.tensor([[2.5, 2.5]]), torch.tensor([0.0]), (6, 6)).any()


@pytest.mark.parametrize(
    ("centers", "radii", "shape", "message"),
    [
        (torch.zeros(2), torch.ones(2), (4, 4), "expected"),
        (torch.zeros(2, 3), torch.ones(2), (4, 4), "expected"),
        (torch.zeros(2, 2), torch.ones(3), (4, 4), "expected"),
        (torch.zeros(1, 2), torch.ones(1), (4, 0), "spatial_size"),
        (torch.zeros(1, 2), -torch.ones(1), (4, 4), "negative"),
        (torch.full((1, 2), torch.nan), torch.ones(1), (4, 4), "NaN"),
        (torch.zeros(1, 2), torch.full((1,), torch.inf), (4, 4), "infinite"),
    ],
)
def test_errors(centers: Tensor, radii: Tensor, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_balls(centers, radii, shape)
