# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.networks import DiffusionClassifier, DiffusionUNet, GuidedDiffusion
from torch import nn

SPATIAL = [(16, 16), (8, 8, 8)]
TINY: dict[str, Any] = {"channels": (8, 16), "attention_levels": (False, True), "num_res_blocks": 1, "norm_groups": 4}


def _awake(network: nn.Module) -> nn.Module:
    """Give weights that start at zero values, too."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def _guided(spatial_dims: int, **options: Any) -> GuidedDiffusion:
    diffusion = DiffusionUNet(spatial_dims, 1, 1, num_heads=1, **TINY)
    return GuidedDiffusion(diffusion, DiffusionClassifier(spatial_dims, 1, **TINY), **options)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_one_tensor_at_test_time_and_both_answers_in_training(spatial: tuple[int, ...]) -> None:
    network = _guided(len(spatial))
    _awake(network)
    images, timesteps = torch.randn(2, 1, *spatial), torch.tensor([1, 7])
    assert torch.equal(network(images, timesteps), network.diffusion(images, timesteps))
    assert torch.equal(network.classify(images, timesteps), network.classifier(images, timesteps))
    prediction, logits = network.train()(x=images, timesteps=timesteps, context=None)
    assert torch.equal(prediction, network.diffusion(images, timesteps))
    assert torch.equal(logits, network.classifier(images, timesteps))


def test_a_frozen_diffusion_network_is_neither_asked_nor_trained() -> None:
    network = _guided(2, train_diffusion=False).train()
    prediction, logits = network(torch.randn(2, 1, 16, 16))
    logits.sum().backward()
    assert prediction is None
    assert all(p.grad is None for p in network.diffusion.parameters())
    assert any(p.grad is not None for p in network.classifier.parameters())
    assert _guided(2).state_dict().keys() == network.state_dict().keys()


def test_methods_of_an_exported_network_answer_and_have_gradients() -> None:
    network, images, timesteps = _awake(_guided(2)), torch.randn(2, 1, 16, 16), torch.tensor([1, 7])
    methods = {name: (images, timesteps) for name in ("forward", *network.exported_methods)}
    traced = torch.jit.trace_module(network, methods, check_trace=False)
    others = torch.randn(3, 1, 16, 16, requires_grad=True), torch.tensor([5, 6, 900])
    for name in methods:
        expected, found = (getattr(each, name)(*others) for each in (network, traced))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        gradients = [torch.autograd.grad(each.square().sum(), others[0])[0] for each in (expected, found)]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)
