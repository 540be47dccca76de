# SPDX-License-Identifier: Apache-2.0
"""Lesions as circles: read, checked against the image, drawn; and the table that usually lists them."""

from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.transforms import DrawCirclesd
from monai.data import MetaTensor


def test_circles_are_drawn_unless_there_is_a_mask() -> None:
    image = MetaTensor(torch.rand(1, 12, 10), affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])))
    item = {"image": image, "circles": [[4, 5, 2], [9.4, 1.6, 0]]}
    mask = DrawCirclesd()(item)["mask"]
    x, y = torch.meshgrid(torch.arange(12), torch.arange(10), indexing="ij")
    expected = (x - 4).square() + (y - 5).square() <= 4
    expected[9, 2] = True  # a point marks the pixel next to it
    assert torch.equal(mask.as_tensor()[0] > 0, expected) and torch.equal(mask.affine, image.affine)
    given = torch.zeros(1, 12, 10)
    assert DrawCirclesd()({**item, "mask": given})["mask"] is given
    assert "mask" not in DrawCirclesd()({"image": image})


def test_balls_are_drawn() -> None:
    mask = DrawCirclesd()({"image": torch.rand(1, 9, 9, 9), "circles": [[4, 4, 4, 1]]})["mask"]
    assert int(mask.sum()) == 7


def test_circles_of_other_axes_are_refused() -> None:
    with pytest.raises(InputError, match=r"^c: circles \[\[4, 4, 1\]\].*x, y, z, radius"):
        DrawCirclesd()({"image": torch.rand(1, 9, 9, 9), "circles": [[4, 4, 1]], "case": "c"})


@pytest.mark.parametrize("circles", [[[1, 1, 10**400]], [[1, 1, float("nan")]], [["a", "b", "c"]], [[1, 1, 1], [2]], 7])
def test_what_is_no_circle_is_refused(circles: Any) -> None:
    with pytest.raises(InputError, match=r"^c: circles .*finite"):
        DrawCirclesd()({"image": torch.rand(1, 9, 9), "circles": circles, "case": "c"})
