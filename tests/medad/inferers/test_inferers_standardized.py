# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import StandardizedInferer
from torch import Tensor, nn


class _Known(nn.Module):
    """Gives the images as the difference, and ones as expected."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, torch.ones_like(images)], dim=1)


@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (2, 2, 4, 4), (2, 2, 4, 4, 3)])
@pytest.mark.parametrize("sign", ["both", "bright", "dark"])
def test_the_part_of_the_difference_that_is_asked_for(shape: tuple[int, ...], sign: str) -> None:
    images = torch.randn(shape)
    expected = {"both": images.abs(), "bright": images.relu(), "dark": (-images).relu()}[sign].mean(dim=1)
    out = StandardizedInferer(2, sign)(images, _Known())
    torch.testing.assert_close(out[:, 0], expected)
    assert torch.equal(out[:, 1:], torch.ones_like(images))


def test_both_parts_make_the_whole() -> None:
    images = torch.randn(2, 1, 4, 4, 4)
    maps = {sign: StandardizedInferer(3, sign)(images, _Known())[:, 0] for sign in ("both", "bright", "dark")}
    torch.testing.assert_close(maps["bright"] + maps["dark"], maps["both"])


def test_another_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="sign"):
        StandardizedInferer(2, "up")
