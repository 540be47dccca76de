# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.networks import DiffusionUNet
from torch import nn

SMALL: dict[str, Any] = {
    "channels": (8, 16),
    "attention_levels": (False, True),
    "num_res_blocks": 1,
    "norm_groups": 4,
}
CASES = [
    ({"spatial_dims": 2, "in_channels": 1, "out_channels": 1}, (2, 1, 8, 12)),
    ({"spatial_dims": 2, "in_channels": 3, "out_channels": 6, "num_heads": 1}, (1, 3, 4, 2)),
    ({"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "resblock_updown": False}, (2, 1, 8, 8)),
    ({"spatial_dims": 3, "in_channels": 1, "out_channels": 1}, (1, 1, 8, 4, 6)),
]


def _network(**arguments: Any) -> DiffusionUNet:
    """A network whose last convolutions do not start at zero, as trained ones do not."""
    network = DiffusionUNet(**{"spatial_dims": 2, "in_channels": 1, "out_channels": 1, **SMALL, **arguments})
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize(("arguments", "shape"), CASES)
def test_shape_and_gradient(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    network = _network(**arguments)
    y = network(torch.randn(shape), torch.arange(shape[0]))
    assert y.shape == (shape[0], arguments["out_channels"], *shape[2:])
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def _count(**arguments: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in DiffusionUNet(**arguments).parameters())


def test_published_size_with_the_attention_that_was_trained() -> None:
    """Fault F12 of the published code: the setting of the attention (16 and 8 only) never reached the network."""
    config = Path(__file__).resolve().parents[3] / "bundles" / "anoddpm" / "configs" / "train.json"
    train = json.loads(config.read_text("utf-8"))
    setting = {key: train[key] for key in ("channels", "attention_levels", "num_res_blocks", "norm_groups")}
    image = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    assert train["image_size"] == [256, 256]
    assert _count(**image, **setting) == 131_649_793
    assert _count(**image) == 131_649_793
    only_16_and_8 = (False, False, False, False, True, True)
    assert round(_count(**image, **{**setting, "attention_levels": only_16_and_8}) / 1e6, 2) == 130.33


def test_without_timesteps_all_are_zero_and_timesteps_matter() -> None:
    network, x = _network(), torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(network(x), network(x, torch.zeros(3, dtype=torch.long)))
    later = network(x, torch.tensor([0, 400, 800]))
    torch.testing.assert_close(later[0], network(x)[0])
    assert not torch.allclose(later[1], network(x)[1])


def test_a_sample_does_not_see_its_batch() -> None:
    network, x, t = _network().eval(), torch.randn(3, 1, 8, 8), torch.tensor([1, 20, 300])
    torch.testing.assert_close(network(x, t)[1:2], network(x[1:2], t[1:2]))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"spatial_dims": 1}, "spatial_dims=1"),
        ({"attention_levels": (True,)}, "attention_levels"),
        ({"norm_groups": 3}, "norm_groups=3"),
        ({"num_heads": 3}, "num_heads=3"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        _network(**arguments)


def test_wrong_image_size_is_explained() -> None:
    with pytest.raises(ValueError, match="multiple of 2"):
        _network()(torch.zeros(1, 1, 8, 9))


def test_the_published_network_of_guided_diffusion() -> None:
    """Four channels; the published one of 113.68 million has an embedding of classes and predicts variances, too."""
    levels = (False, False, False, False, True, False)
    with torch.device("meta"):
        network = DiffusionUNet(2, 4, 4, attention_levels=levels, num_heads=1, resblock_updown=False)
    assert sum(p.numel() for p in network.parameters()) == 113_681_160 - 2 * 512 - (4 * 128 * 9 + 4)
