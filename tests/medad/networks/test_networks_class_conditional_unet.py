# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.networks import ClassConditionalUNet
from torch import nn

SPATIAL = [(16, 16), (8, 8, 8)]


TINY: dict[str, Any] = {"channels": (8, 16), "attention_levels": (False, True), "num_res_blocks": 1, "norm_groups": 4}


def _awake(network: nn.Module) -> nn.Module:
    """Give weights that start at zero values, too."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_methods_of_an_exported_network_answer_and_have_gradients() -> None:
    network, images, timesteps = (
        _awake(ClassConditionalUNet(2, 1, 1, num_heads=1, **TINY)),
        torch.randn(2, 1, 16, 16),
        torch.tensor([1, 7]),
    )
    methods = {name: (images, timesteps) for name in ("forward", *network.exported_methods)}
    traced = torch.jit.trace_module(network, methods, check_trace=False)
    others = torch.randn(3, 1, 16, 16, requires_grad=True), torch.tensor([5, 6, 900])
    for name in methods:
        expected, found = (getattr(each, name)(*others) for each in (network, traced))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        gradients = [torch.autograd.grad(each.square().sum(), others[0])[0] for each in (expected, found)]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_a_class_conditional_network_knows_three_conditions(spatial: tuple[int, ...]) -> None:
    network = _awake(ClassConditionalUNet(len(spatial), 1, 1, num_heads=1, **TINY))
    images, timesteps = torch.randn(2, 1, *spatial), torch.tensor([1, 7])
    unknown = network(images, timesteps)
    normal, abnormal = (network(images, timesteps, torch.full((2,), label)) for label in (0, 1))
    assert torch.equal(network.predict_normal(images, timesteps), normal)
    assert not any(torch.allclose(*pair) for pair in ((unknown, normal), (unknown, abnormal), (normal, abnormal)))
    mixed = network(images, timesteps, torch.tensor([0, 1]))
    torch.testing.assert_close(mixed, torch.stack([normal[0], abnormal[1]]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_labels_are_dropped_in_training_only(share: float) -> None:
    network = _awake(ClassConditionalUNet(2, 1, 1, num_heads=1, condition_dropout=share, **TINY))
    images = torch.randn(1, 1, 4, 4).expand(64, -1, -1, -1)
    labels, timesteps = torch.zeros(64, dtype=torch.long), torch.full((64,), 9)
    given, unknown = network(images, timesteps, labels), network(images, timesteps)
    assert not torch.allclose(given, unknown)
    torch.manual_seed(3)
    trained = network.train()(images, timesteps, labels)
    far = [(trained - each).abs().flatten(1).amax(1) for each in (unknown, given)]
    dropped = far[0] < far[1]
    assert float(dropped.float().mean()) == pytest.approx(share, abs=0.2 if share == 0.5 else 0.0)


def test_class_conditional_network_names_a_wrong_share() -> None:
    with pytest.raises(ValueError, match=r"condition_dropout=1\.5"):
        ClassConditionalUNet(2, 1, 1, num_heads=1, condition_dropout=1.5, **TINY)
