# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks import RestorationUNet
from medad.networks.restoration.restoration_unet import blocks_to_channels, channels_to_blocks


@pytest.mark.parametrize("size", [(16, 24), (16, 8, 24)])
@pytest.mark.parametrize("channels", [1, 3])
def test_logit_and_change(size: tuple[int, ...], channels: int) -> None:
    network = RestorationUNet(len(size), 2, channels, (8, 16)).eval()
    images = torch.rand(2, 2, *size)
    prediction = network(images)
    assert prediction.shape == (2, 1 + channels, *size)
    torch.testing.assert_close(torch.jit.script(network)(images), prediction)


@pytest.mark.parametrize("size", [(8, 12), (6, 4, 8)])
def test_blocks_become_channels_and_come_back(size: tuple[int, ...]) -> None:
    images = torch.rand(2, 3, *size)
    blocks = blocks_to_channels(images)
    assert blocks.shape == (2, 3 * 2 ** len(size), *[n // 2 for n in size])
    window = images[(slice(None), slice(None), *[slice(2, 4)] * len(size))]  # one block, in any order
    ones = blocks[(slice(None), slice(None), *[1] * len(size))]
    assert torch.equal(ones.flatten().sort().values, window.flatten().sort().values)
    assert torch.equal(channels_to_blocks(blocks), images)


def test_a_size_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        RestorationUNet(2, 1, 1, (8, 16))(torch.rand(1, 1, 12, 11))
