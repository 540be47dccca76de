# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.networks import ClassConditionalUNet, DiffusionClassifier, DiffusionUNet, GuidedDiffusion
from medad.networks.diffusion.attention_pool import AttentionPool
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


def test_the_published_network() -> None:
    """Four channels; the published U-Net of 113.68 million has an embedding of classes and predicts variances, too."""
    with torch.device("meta"):
        levels = (False, False, False, False, True, False)
        network = DiffusionUNet(2, 4, 4, attention_levels=levels, num_heads=1, resblock_updown=False)
        classifier = DiffusionClassifier(2, 4)
        assert classifier(torch.zeros(1, 4, 256, 256)).shape == (1, 2)
    assert sum(p.numel() for p in network.parameters()) == 113_681_160 - 2 * 512 - (4 * 128 * 9 + 4)
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


@pytest.mark.parametrize("spatial", SPATIAL)
def test_pool_of_equal_places_is_that_of_one_and_their_order_does_not_matter(spatial: tuple[int, ...]) -> None:
    pool = AttentionPool(8, 3, num_heads=2).eval()
    one = torch.randn(2, 8, *[1] * len(spatial))
    torch.testing.assert_close(pool(one.expand(-1, -1, *spatial)), pool(one))
    features = torch.randn(2, 8, *spatial)
    torch.testing.assert_close(pool(features.flip(-1)), pool(features))
    assert pool(features).shape == (2, 3)


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
    images, timesteps = torch.randn(2, 1, 16, 16), torch.tensor([1, 7])
    unet = ClassConditionalUNet(2, 1, 1, num_heads=1, **TINY)
    for network in (_awake(_guided(2)), _awake(unet)):
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
