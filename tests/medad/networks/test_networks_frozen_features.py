# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.networks import FrozenFeatures, tensor_hash
from torch import Tensor, nn

pytestmark = pytest.mark.usefixtures("no_network")
SMALL = "efficientnet-b0"


def test_the_defaults_are_the_features_of_uniad() -> None:
    features = FrozenFeatures(2, 1, allow_random=True)
    images = torch.rand(1, 1, 224, 224)
    assert features(images).shape == (1, 272, 14, 14) and features.out_channels == 272
    shapes = [tuple(level.shape[1:]) for level in features.backbone(images.expand(-1, 3, -1, -1))]
    assert shapes[:4] == [(24, 112, 112), (32, 56, 56), (56, 28, 28), (160, 14, 14)]


@pytest.mark.parametrize("name", [SMALL, "resnet10"])
def test_nothing_changes_in_a_training(random_features: Callable[..., FrozenFeatures], name: str) -> None:
    features = random_features(backbone_name=name)
    around = nn.Sequential(features, nn.Conv2d(features.out_channels, 2, 1))
    before, image = features.weights_hash(), torch.rand(2, 1, 64, 64, requires_grad=True)
    first = features(image)
    around.train()
    assert around.training and not any(module.training for module in features.modules())
    around(image).square().mean().backward()
    assert torch.equal(features(image), first) and features.weights_hash() == before
    assert not first.requires_grad and image.grad is None
    assert not any(p.requires_grad for p in features.parameters())
    assert around[1].weight.grad is not None


@pytest.mark.parametrize(("name", "size"), [(SMALL, (64, 64)), (SMALL, (32, 32, 32)), ("resnet10", (64, 64))])
def test_torchscript(random_features: Callable[..., FrozenFeatures], name: str, size: tuple[int, ...]) -> None:
    features, image = random_features(len(size), backbone_name=name), torch.rand(2, 1, *size)
    assert torch.equal(torch.jit.script(features)(image), features(image))


def test_hash_is_that_of_the_tensors(small: FrozenFeatures) -> None:
    state = small.backbone.state_dict()
    assert small.weights_hash() == tensor_hash(dict(reversed(state.items()))) and len(small.weights_hash()) == 64
    changed = {**state, "_bn0.bias": state["_bn0.bias"] + 1}
    assert tensor_hash(changed) != small.weights_hash()


def test_a_training_on_random_weights_only_where_asked_for(small: FrozenFeatures) -> None:
    waiting = FrozenFeatures(2, 1, SMALL)
    for step in (waiting.require_weights, waiting.key):
        with pytest.raises(InputError, match="no file with weights"):
            step()
    small.require_weights()
    with pytest.raises(ValueError, match="belongs to a file"):
        FrozenFeatures(2, 1, SMALL, allow_random=True, sha256="0" * 64)


@pytest.fixture
def from_file(
    small: FrozenFeatures, unlike: Callable[[FrozenFeatures], dict[str, Tensor]], tmp_path: Path
) -> Callable[..., FrozenFeatures]:
    """Make features of weights unlike the random ones, in a file."""
    torch.save(unlike(small), tmp_path / "backbone.pt")

    def make(**arguments: Any) -> FrozenFeatures:
        return FrozenFeatures(2, 1, SMALL, feature_size=(4, 4), weights=tmp_path / "backbone.pt", **arguments)

    return make


def test_a_state_dict_brings_the_weights_and_their_hash(
    from_file: Callable[..., FrozenFeatures], caplog: pytest.LogCaptureFixture
) -> None:
    state = nn.Sequential(from_file()).state_dict()
    caplog.clear()
    again = nn.Sequential(FrozenFeatures(2, 1, SMALL, feature_size=(4, 4)))
    again.load_state_dict(state, strict=True)
    again[0].require_weights()
    assert bytes(state["0.backbone_sha256"].tolist()).hex() == again[0].weights_hash() == again[0].describe()["sha256"]
    assert not again[0].describe()["random"] and "RANDOM" not in caplog.text


def test_random_weights_are_known_in_a_state_dict(small: FrozenFeatures, caplog: pytest.LogCaptureFixture) -> None:
    again = FrozenFeatures(2, 1, SMALL, feature_size=(4, 4))
    assert "RANDOM" not in caplog.text
    again.load_state_dict(small.state_dict())
    assert "RANDOM" in caplog.text and again.describe()["random"]


def test_a_backbone_outside_the_state_dict(
    from_file: Callable[..., FrozenFeatures], random_features: Callable[..., FrozenFeatures]
) -> None:
    features = nn.Sequential(from_file(in_state_dict=False))
    state = features.state_dict()
    assert sorted(state) == ["0.backbone_sha256", "0.mean", "0.std"]
    again = nn.Sequential(from_file(in_state_dict=False))
    again.load_state_dict(state, strict=True)
    assert again[0].weights_hash() == features[0].weights_hash()
    for other in (FrozenFeatures(2, 1, SMALL), random_features()):
        with pytest.raises(
            RuntimeError, match=f"needs a file with weights of the SHA-256 {features[0].weights_hash()}"
        ):
            nn.Sequential(other).load_state_dict(state, strict=True)


def test_a_state_dict_without_features_is_refused(small: FrozenFeatures) -> None:
    with pytest.raises(RuntimeError, match="backbone_sha256"):
        small.load_state_dict({}, strict=True)


def test_key_tells_features_apart(
    from_file: Callable[..., FrozenFeatures], random_features: Callable[..., FrozenFeatures], small: FrozenFeatures
) -> None:
    others = [
        from_file(),
        random_features(layers=(0, 1)),
        random_features(layers=(1, 0, 2, 3)),
        random_features(feature_size=(5, 4)),
        random_features(mean=(0.5, 0.5, 0.5)),
        random_features(std=(0.5, 0.5, 0.5)),
        random_features(backbone_name="resnet10"),
    ]
    assert len({features.key() for features in others} | {small.key()}) == len(others) + 1
    assert random_features().key() == small.key() and len(small.key()) == 64
