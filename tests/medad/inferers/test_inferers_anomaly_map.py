# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import AnomalyMapInferer
from torch import nn


@pytest.mark.parametrize("size", [(4, 5), (4, 5, 6)])
def test_the_map_is_what_the_network_gives(size: tuple[int, ...]) -> None:
    images = torch.rand(2, 1, *size)
    assert torch.equal(AnomalyMapInferer(len(size))(images, nn.Softplus()), nn.Softplus()(images))


def test_slices_of_a_volume_keep_their_place() -> None:
    volume = torch.rand(2, 1, 4, 5, 7)
    found = AnomalyMapInferer(2, slice_batch_size=3)(volume, nn.AvgPool2d(3, stride=1, padding=1))
    slices = [nn.AvgPool2d(3, stride=1, padding=1)(volume[..., z]) for z in range(7)]
    torch.testing.assert_close(found, torch.stack(slices, dim=-1))
