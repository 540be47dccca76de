# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks import AtlasRestoration, NormativeAtlas
from torch import nn

SIZES = [(16, 20), (8, 12, 10)]


def _atlas(size: tuple[int, ...], channels: int, count: int = 9) -> NormativeAtlas:
    torch.manual_seed(0)
    atlas = NormativeAtlas(len(size), channels, size, num_neighbors=5, num_bases=4, feature_size=4)
    atlas.forget()
    atlas.remember(0.5 + torch.rand(count, channels, *size), torch.ones(count, 1, *size))
    return atlas


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_network_sees_image_difference_and_expected_image(size: tuple[int, ...], channels: int) -> None:
    atlas = _atlas(size, channels)
    images = torch.rand(3, channels, *size)
    images[:, :, 4:6, 4:6] = 50.0  # beyond the limit
    image, difference, expected = AtlasRestoration(atlas, nn.Identity())(images).chunk(3, dim=1)
    z, e = atlas(images).chunk(2, dim=1)
    assert torch.equal(image, images)
    torch.testing.assert_close(expected, e)
    torch.testing.assert_close(difference, z.clamp(-8.0, 8.0) / 3.0)
    assert float(difference.max()) == pytest.approx(8.0 / 3.0)


def test_what_is_known_of_the_expected_image_is_taken() -> None:
    atlas = _atlas((16, 20), 1)
    images, expected, spread = torch.rand(2, 1, 16, 20), torch.rand(2, 1, 16, 20), torch.rand(2, 1, 16, 20)
    spread[:, :, :3] = 0.0  # what lay beyond the border
    _, difference, given = AtlasRestoration(atlas, nn.Identity())(images, expected, spread).chunk(3, dim=1)
    assert torch.equal(given, expected)
    z = (atlas.smooth(images) - expected) / spread.clamp(min=0.05)
    torch.testing.assert_close(difference, z.clamp(-8.0, 8.0) / 3.0)


def test_torchscript_gives_the_same() -> None:
    network = AtlasRestoration(_atlas((16, 20), 1), nn.Conv2d(3, 2, 1)).eval()
    images = torch.rand(2, 1, 16, 20)
    torch.testing.assert_close(torch.jit.script(network)(images), network(images))


def test_weights_bring_the_bank() -> None:
    network = AtlasRestoration(_atlas((16, 20), 1), nn.Conv2d(3, 2, 1))
    fresh = AtlasRestoration(NormativeAtlas(2, 1, (16, 20), 5, 4, 4), nn.Conv2d(3, 2, 1))
    fresh.load_state_dict(network.state_dict())
    images = torch.rand(2, 1, 16, 20)
    assert torch.equal(fresh(images), network(images))
