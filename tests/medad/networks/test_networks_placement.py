# SPDX-License-Identifier: Apache-2.0
import copy
from typing import Any

import pytest
import torch
from medad.networks import DiffusionUNet, place_network
from torch import nn

SMALL: dict[str, Any] = {
    "channels": (8, 16),
    "attention_levels": (False, True),
    "num_res_blocks": 1,
    "norm_groups": 4,
}


def _network(**arguments: Any) -> DiffusionUNet:
    """A network whose last convolutions do not start at zero, as trained ones do not."""
    network = DiffusionUNet(**{"spatial_dims": 2, "in_channels": 1, "out_channels": 1, **SMALL, **arguments})
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_channels_last_changes_the_storage_only(spatial_dims: int) -> None:
    network = _network(spatial_dims=spatial_dims)
    placed = place_network(copy.deepcopy(network), "cpu", channels_last=True)
    form = torch.channels_last if spatial_dims == 2 else torch.channels_last_3d
    weights = [p for p in placed.parameters() if p.ndim == spatial_dims + 2 and p.shape[1] > 1 and p.shape[2] > 1]
    assert weights and all(p.is_contiguous(memory_format=form) for p in weights)
    x = torch.randn(2, 1, *(8,) * spatial_dims)
    torch.testing.assert_close(placed(x), network(x), rtol=1e-4, atol=1e-4)
    assert placed.state_dict().keys() == network.state_dict().keys()


def test_a_compiled_network_keeps_its_weights_and_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call, **options: compiled.append(call) or call)
    network = _network()
    placed = place_network(network, "cpu", compiled=True)
    assert placed is network and len(compiled) == 1
    assert not any(name.startswith("_orig_mod") for name in placed.state_dict())
    x = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(copy.deepcopy(placed)(x), placed(x))
