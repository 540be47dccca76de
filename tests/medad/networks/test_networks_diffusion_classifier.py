# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.networks import DiffusionClassifier
from torch import nn

SPATIAL = [(16, 16), (8, 8, 8)]


TINY: dict[str, Any] = {"channels": (8, 16), "attention_levels": (False, True), "num_res_blocks": 1, "norm_groups": 4}


def _awake(network: nn.Module) -> nn.Module:
    """Give weights that start at zero values, too."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_the_published_classifier() -> None:
    with torch.device("meta"):
        classifier = DiffusionClassifier(2, 4)
        assert classifier(torch.zeros(1, 4, 256, 256)).shape == (1, 2)
    assert sum(p.numel() for p in classifier.parameters()) == pytest.approx(4.78e6, rel=1e-3)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_classifier_takes_any_size_and_asks_time_and_image(spatial: tuple[int, ...]) -> None:
    network = _awake(DiffusionClassifier(len(spatial), 2, 3, **TINY))
    images = torch.randn(2, 2, *spatial)
    logits = network(images, torch.tensor([3, 500]))
    assert logits.shape == (2, 3)
    assert network(torch.randn(1, 2, *(size + 4 for size in spatial))).shape == (1, 3)
    assert not torch.allclose(logits, network(images, torch.tensor([3, 9])))
    assert not torch.allclose(logits, network(images.flip(-1), torch.tensor([3, 500])))
    torch.testing.assert_close(network(images), network(images, torch.zeros(2, dtype=torch.long)))
    torch.testing.assert_close(network(images[1:], torch.tensor([500])), logits[1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims=1"),
        ({"attention_levels": (True,)}, "attention_levels"),
        ({"norm_groups": 3}, "norm_groups=3"),
        ({"channels": (24, 24), "head_channels": 10, "norm_groups": 4}, "head_channels=10"),
    ],
)
def test_classifier_names_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiffusionClassifier(**{"spatial_dims": 2, "in_channels": 1, **TINY, **options})


def test_classifier_names_an_image_that_is_too_small() -> None:
    network = DiffusionClassifier(2, 1, **TINY)
    assert network(torch.zeros(1, 1, 4, 4)).shape == (1, 2)
    with pytest.raises(ValueError, match="at least 4"):
        network(torch.zeros(1, 1, 3, 8))
