# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import RestorationInferer
from torch import Tensor, nn


class _Known(nn.Module):
    """Logit 2 x, and a change of -x in the first channel and 3 x in the others."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([2.0 * images[:, :1], -images[:, :1], 3.0 * images[:, 1:]], dim=1)


@pytest.mark.parametrize("size", [(6, 5), (4, 5, 6)])
@pytest.mark.parametrize("channels", [1, 2])
def test_map_and_healed_image_by_their_formula(size: tuple[int, ...], channels: int) -> None:
    images = torch.rand(2, channels, *size) - 0.5
    result = RestorationInferer(len(size))(images, _Known())
    change = torch.cat([-images[:, :1], 3.0 * images[:, 1:]], dim=1)
    probability = 1.0 / (1.0 + torch.exp(-2.0 * images[:, :1].double()))
    expected = (probability * change.abs().double().mean(dim=1, keepdim=True)).sqrt()
    torch.testing.assert_close(result[:, :1].double(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(result[:, 1:], images + change)
    assert float(result[:, :1].min()) >= 0.0


def test_volumes_go_slice_by_slice() -> None:
    volume = torch.rand(1, 1, 6, 5, 4)
    inferer = RestorationInferer(2, slice_batch_size=3)
    result = inferer(volume, _Known())
    for number in range(4):
        assert torch.equal(result[..., number], inferer(volume[..., number], _Known()))


@pytest.mark.parametrize("size", [(6, 5), (4, 5, 6)])
def test_the_mean_with_the_mirror_image(size: tuple[int, ...]) -> None:
    class Sided(nn.Module):
        """Sees more on one side."""

        def forward(self, images: Tensor) -> Tensor:
            side = torch.arange(images.shape[2]).view(1, 1, -1, *[1] * (images.ndim - 3))
            return torch.cat([images * side, images * side], dim=1)

    images = torch.rand(2, 1, *size)
    one, mirrored = (RestorationInferer(len(size))(each, Sided()) for each in (images, images.flip(2)))
    result = RestorationInferer(len(size), mirror=True)(images, Sided())
    torch.testing.assert_close(result, (one + mirrored.flip(2)) / 2)
    assert not torch.allclose(result, one)
