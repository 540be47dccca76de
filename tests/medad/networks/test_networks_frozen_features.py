# SPDX-License-Identifier: Apache-2.0
import hashlib
import logging
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.networks import FeaturePyramid, FrozenFeatures, tensor_hash
from torch import Tensor, nn

SMALL = "efficientnet-b0"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this file may open a connection."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket is opened")

    monkeypatch.setattr(socket, "socket", refuse)


def _random(
    spatial_dims: int = 2, in_channels: int = 1, backbone_name: str = SMALL, **arguments: Any
) -> FrozenFeatures:
    grid = {"feature_size": (4,) * spatial_dims, **arguments}
    return FrozenFeatures(spatial_dims, in_channels, backbone_name, allow_random=True, **grid)


@pytest.fixture(scope="module")
def small() -> FrozenFeatures:
    return _random()


def _resize(level: np.ndarray, size: list[int]) -> np.ndarray:
    """Linear interpolation axis by axis; first and last points stay where they are."""
    for axis, new in enumerate(size, 2):
        old = level.shape[axis]
        place = np.linspace(0, old - 1, new)
        low = np.minimum(place.astype(int), max(old - 2, 0))
        part = (place - low).reshape([-1 if a == axis else 1 for a in range(level.ndim)])
        high = np.minimum(low + 1, old - 1)
        level = level.take(low, axis) * (1 - part) + level.take(high, axis) * part
    return level


def _by_hand(features: FrozenFeatures, images: Tensor, modules: list[str], mean: Any, std: Any) -> np.ndarray:
    """Levels as hooks on the network of MONAI see them, in double precision."""
    network, seen = features.backbone.double(), []
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _m, _i, out: seen.append(out.clone().numpy()))
        for name in modules
    ]
    channels = [
        (images[:, i if images.shape[1] > 1 else 0] - m) / s for i, (m, s) in enumerate(zip(mean, std, strict=True))
    ]
    network(torch.stack(channels, dim=1).double())
    for hook in hooks:
        hook.remove()
    network.float()
    assert len(seen) == len(modules)
    return np.concatenate([_resize(level, features.feature_size) for level in seen], axis=1)


CASES = [
    # backbone, levels, their modules
    (SMALL, (0, 1, 2, 3), ["_blocks.0", "_blocks.1", "_blocks.2", "_blocks.4"]),
    (SMALL, (4,), ["_blocks.6"]),
    ("resnet10", (0, 2, 3), ["act", "layer2", "layer3"]),
]


@pytest.mark.parametrize(("name", "layers", "modules"), CASES)
@pytest.mark.parametrize("size", [(64, 96), (32, 40, 32)])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_those_of_monai_resized_by_hand(
    name: str, layers: tuple[int, ...], modules: list[str], size: tuple[int, ...], channels: int
) -> None:
    features = _random(len(size), channels, name, layers=layers, feature_size=(5, 3, 4)[: len(size)])
    images = torch.rand(2, channels, *size)
    found = features(images)
    with torch.no_grad():
        right = _by_hand(features, images, modules, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert found.shape == (2, features.out_channels, *features.feature_size) == right.shape
    np.testing.assert_allclose(found.numpy(), right, rtol=1e-3, atol=1e-4 * float(np.abs(right).max()))


def test_the_defaults_are_the_features_of_uniad() -> None:
    features = FrozenFeatures(2, 1, allow_random=True)
    images = torch.rand(1, 1, 224, 224)
    assert features(images).shape == (1, 272, 14, 14) and features.out_channels == 272
    shapes = [tuple(level.shape[1:]) for level in features.backbone(images.expand(-1, 3, -1, -1))]
    assert shapes[:4] == [(24, 112, 112), (32, 56, 56), (56, 28, 28), (160, 14, 14)]


def test_a_gray_image_gives_what_its_three_equal_channels_give(small: FrozenFeatures) -> None:
    image = torch.rand(2, 1, 64, 64)
    assert torch.equal(small(image), _random(in_channels=3)(image.repeat(1, 3, 1, 1)))


def test_mean_and_std_make_the_channels() -> None:
    features = _random(3, 1, "resnet10", mean=(0.2,), std=(0.5,), layers=(1,))
    assert features.backbone.conv1.weight.shape[1] == 1
    image = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        right = _by_hand(features, image, ["layer1"], (0.2,), (0.5,))
    np.testing.assert_allclose(features(image).numpy(), right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [SMALL, "resnet10"])
def test_nothing_changes_in_a_training(name: str) -> None:
    features = _random(backbone_name=name)
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
def test_torchscript(name: str, size: tuple[int, ...]) -> None:
    features, image = _random(len(size), backbone_name=name), torch.rand(2, 1, *size)
    assert torch.equal(torch.jit.script(features)(image), features(image))


def test_random_weights_are_announced_and_touch_no_random_state(caplog: pytest.LogCaptureFixture) -> None:
    state = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        _random()
    assert "RANDOM" in caplog.text and torch.equal(torch.get_rng_state(), state)


def test_random_weights_are_the_same_in_another_process(small: FrozenFeatures) -> None:
    code = (
        "import torch; torch.manual_seed(7); from medad.networks import FrozenFeatures; "
        f"print(FrozenFeatures(2, 1, {SMALL!r}, allow_random=True).weights_hash())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == small.weights_hash()


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_no_level_of_random_features_is_lost(spatial_dims: int) -> None:
    features = _random(spatial_dims)
    levels = features.backbone(torch.randn(1, 3, *[64] * spatial_dims))[:4]
    sizes = [float(level.std()) for level in levels]
    assert max(sizes) / min(sizes) < 1000 and min(sizes) > 0.1


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_pyramid_is_trained_and_its_backbone_frozen_then(spatial_dims: int, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"layers": (0, 2), "feature_size": (4,) * spatial_dims}
    pyramid = FeaturePyramid(spatial_dims, 1, SMALL, **arguments)
    before, image = tensor_hash(pyramid.backbone.state_dict()), torch.rand(2, 1, *[32] * spatial_dims)
    assert before == _random(spatial_dims, layers=(0, 2)).weights_hash()
    pyramid(image).square().mean().backward()
    assert all(parameter.grad is not None for parameter in pyramid.parameters())
    torch.optim.SGD(pyramid.parameters(), 0.01).step()
    torch.save(pyramid.backbone.state_dict(), tmp_path / "backbone.pt")
    frozen = FrozenFeatures(spatial_dims, 1, SMALL, weights=tmp_path / "backbone.pt", **arguments)
    assert frozen.weights_hash() == tensor_hash(pyramid.backbone.state_dict()) != before
    assert torch.equal(frozen(image), pyramid.eval()(image))


def test_hash_is_that_of_the_tensors(small: FrozenFeatures) -> None:
    state = small.backbone.state_dict()
    assert small.weights_hash() == tensor_hash(dict(reversed(state.items()))) and len(small.weights_hash()) == 64
    changed = {**state, "_bn0.bias": state["_bn0.bias"] + 1}
    assert tensor_hash(changed) != small.weights_hash()


# weights from a file


def _state(features: FrozenFeatures) -> dict[str, Tensor]:
    """Weights unlike the random ones."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(value.shape, generator=generator) + 0.5 if value.is_floating_point() else value + 3
        for name, value in features.backbone.state_dict().items()
    }


def _lukemelas(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of lukemelas/EfficientNet-PyTorch, with the head that its files hold."""
    short = {re.sub(r"^_blocks\.\d+\.", "_blocks.", name): value for name, value in state.items()}
    assert len(short) == len(state) and "_blocks.15._bn2.weight" in short
    return {**short, "_conv_head.weight": torch.ones(2), "_bn1.bias": torch.ones(2), "_fc.bias": torch.ones(2)}


WRAPPINGS: dict[str, Any] = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}},
    "model": lambda state: {"model": state},
    "lukemelas": _lukemelas,
    "no counts": lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_from_a_file(wrapping: str, small: FrozenFeatures, tmp_path: Path) -> None:
    state = _state(_random(layers=(4,)))  # files hold all levels
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "weights.pth")
    sha256 = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    before = torch.get_rng_state()
    features = FrozenFeatures(2, 1, SMALL, weights=tmp_path / "weights.pth", sha256=sha256.upper())
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in features.backbone.state_dict().items():
        if wrapping != "no counts" or not name.endswith("num_batches_tracked"):
            assert torch.equal(value, state[name]), name
    assert features.weights_hash() != small.weights_hash()


def test_round_trip(small: FrozenFeatures, tmp_path: Path) -> None:
    torch.save(small.backbone.state_dict(), tmp_path / "own.pt")
    again = FrozenFeatures(2, 1, SMALL, feature_size=(4, 4), weights=str(tmp_path / "own.pt"))
    image = torch.rand(1, 1, 64, 64)
    assert again.weights_hash() == small.weights_hash() and torch.equal(again(image), small(image))


def test_a_resnet_takes_a_file_with_a_head(tmp_path: Path) -> None:
    state = _random(backbone_name="resnet50").backbone.state_dict()
    torch.save({**state, "fc.weight": torch.ones(1000, 2048), "fc.bias": torch.ones(1000)}, tmp_path / "resnet50.pth")
    FrozenFeatures(2, 1, "resnet50", weights=tmp_path / "resnet50.pth")


def _lacking(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != "_bn0.weight"}


UNFIT: list[tuple[Any, str]] = [
    (_lacking, r"1 missing \(_bn0.weight\)\. Expected"),
    (lambda s: {**s, "extra.weight": torch.ones(1)}, r"1 left over \(extra.weight\)\. Expected"),
    (lambda s: {**_lacking(s), "_bn_0.weight": s["_bn0.weight"]}, r"1 missing \(_bn0.weight\), 1 left over \(_bn_0.w"),
    (
        lambda s: {**s, "_conv_stem.weight": s["_conv_stem.weight"][:, :1]},
        r"1 of another shape \(_conv_stem.weight \(32, 1, 3, 3\) instead of \(32, 3, 3, 3\)\)",
    ),
    (lambda s: {}, r"0 of \d+ tensors do, \d+ missing \(_conv_stem.weight, _bn0.weight, _bn0.bias, \.\.\.\)"),
    (lambda s: {**s, "epoch": 3}, "something other than tensors"),
    (lambda s: [1, 2], "something other than tensors"),
]


@pytest.mark.parametrize(("change", "message"), UNFIT)
def test_what_does_not_fit_is_named(change: Any, message: str, small: FrozenFeatures, tmp_path: Path) -> None:
    torch.save(change(_state(small)), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=message) as caught:
        FrozenFeatures(2, 1, SMALL, weights=tmp_path / "weights.pth")
    assert caught.value.where == str(tmp_path / "weights.pth") and "\n" not in str(caught.value)


def test_files_that_are_no_weights(small: FrozenFeatures, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="cannot be read as weights"):
        FrozenFeatures(2, 1, SMALL, weights=tmp_path / "weights.pth")
    with pytest.raises(InputError, match="no such file"):
        FrozenFeatures(2, 1, SMALL, weights=tmp_path / "none.pth", allow_random=True)
    torch.save(small.backbone.state_dict(), tmp_path / "good.pth")
    with pytest.raises(InputError, match=f"Expected SHA-256 {'0' * 64}"):
        FrozenFeatures(2, 1, SMALL, weights=tmp_path / "good.pth", sha256="0" * 64)


def test_weights_of_2d_are_refused_in_3d(small: FrozenFeatures, tmp_path: Path) -> None:
    torch.save(small.backbone.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match="of another shape"):
        FrozenFeatures(3, 1, SMALL, feature_size=(4, 4, 4), weights=tmp_path / "weights.pth")


# arguments


def test_a_training_on_random_weights_only_where_asked_for(small: FrozenFeatures) -> None:
    waiting = FrozenFeatures(2, 1, SMALL)
    for step in (waiting.require_weights, waiting.key):
        with pytest.raises(InputError, match="no file with weights"):
            step()
    small.require_weights()
    with pytest.raises(ValueError, match="belongs to a file"):
        FrozenFeatures(2, 1, SMALL, allow_random=True, sha256="0" * 64)


# weights from a state dict


def _from_file(folder: Path, **arguments: Any) -> FrozenFeatures:
    """Features of weights unlike the random ones, in a file ``backbone.pt``."""
    folder.mkdir(exist_ok=True)
    torch.save(_state(_random()), folder / "backbone.pt")
    return FrozenFeatures(2, 1, SMALL, feature_size=(4, 4), weights=folder / "backbone.pt", **arguments)


def test_a_state_dict_brings_the_weights_and_their_hash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = nn.Sequential(_from_file(tmp_path)).state_dict()
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


def test_a_backbone_outside_the_state_dict(tmp_path: Path) -> None:
    features = nn.Sequential(_from_file(tmp_path, in_state_dict=False))
    state = features.state_dict()
    assert sorted(state) == ["0.backbone_sha256", "0.mean", "0.std"]
    again = nn.Sequential(_from_file(tmp_path, in_state_dict=False))
    again.load_state_dict(state, strict=True)
    assert again[0].weights_hash() == features[0].weights_hash()
    for other in (FrozenFeatures(2, 1, SMALL), _random()):
        with pytest.raises(
            RuntimeError, match=f"needs a file with weights of the SHA-256 {features[0].weights_hash()}"
        ):
            nn.Sequential(other).load_state_dict(state, strict=True)


def test_a_state_dict_without_features_is_refused(small: FrozenFeatures) -> None:
    with pytest.raises(RuntimeError, match="backbone_sha256"):
        small.load_state_dict({}, strict=True)


@pytest.mark.parametrize(("name", "deepest"), [(SMALL, "_blocks.4."), ("resnet10", "layer3.")])
def test_what_is_deeper_than_the_levels_is_left_out(name: str, deepest: str, tmp_path: Path) -> None:
    whole, part = (_random(backbone_name=name, layers=layers) for layers in ((0, 3, 4), (0, 3)))
    image = torch.rand(1, 1, 64, 64)
    torch.save(whole.backbone.state_dict(), tmp_path / "whole.pt")
    torch.save(part.backbone.state_dict(), tmp_path / "part.pt")
    assert any(key.startswith(deepest) for key in part.backbone.state_dict())
    assert len(part.backbone.state_dict()) < len(whole.backbone.state_dict())
    assert torch.equal(part(image), whole(image)[:, : part.out_channels])
    for file in ("whole.pt", "part.pt"):
        again = FrozenFeatures(2, 1, name, (0, 3), (4, 4), weights=tmp_path / file)
        assert torch.equal(again(image), part(image)) and again.weights_hash() == part.weights_hash()
    with pytest.raises(InputError, match="missing"):
        FrozenFeatures(2, 1, name, (0, 4), (4, 4), weights=tmp_path / "part.pt")


def test_key_tells_features_apart(small: FrozenFeatures, tmp_path: Path) -> None:
    others = [
        _from_file(tmp_path),
        _random(layers=(0, 1)),
        _random(layers=(1, 0, 2, 3)),
        _random(feature_size=(5, 4)),
        _random(mean=(0.5, 0.5, 0.5)),
        _random(std=(0.5, 0.5, 0.5)),
        _random(backbone_name="resnet10"),
    ]
    assert len({features.key() for features in others} | {small.key()}) == len(others) + 1
    assert _random().key() == small.key() and len(small.key()) == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spatial_dims": 1, "feature_size": (4,)}, "spatial_dims=1"),
        ({"in_channels": 2}, "in_channels=2"),
        ({"feature_size": (4, 4, 4)}, "feature_size"),
        ({"feature_size": (4, 0)}, "feature_size"),
        ({"layers": ()}, "layers"),
        ({"layers": (0, 0)}, "layers"),
        ({"layers": (5,)}, "0 to 4"),
        ({"layers": (-1,)}, "0 to 4"),
        ({"mean": (0.5,)}, "std"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"backbone_name": "vgg"}, "efficientnet-b0, .*resnet200"),
        ({"spatial_dims": 3, "feature_size": (4, 4, 4), "backbone_name": "timm:resnet18"}, "spatial_dims=2 only"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _random(**arguments)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 1, 32, 32, 32), (1, 64, 64)])
def test_images_that_do_not_fit(shape: tuple[int, ...], small: FrozenFeatures) -> None:
    with pytest.raises(ValueError, match="1 channels and 2 spatial axes"):
        small(torch.rand(shape))


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_a_missing_package_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = name.partition(":")[0]
    for module in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"{package} is not installed.*medad\[backbones\]"):
        _random(backbone_name=name)


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_backbones_of_other_packages(name: str, tmp_path: Path) -> None:
    package = name.partition(":")[0]
    pytest.importorskip(package)
    features, image = _random(backbone_name=name, layers=(0, 1, 2, 3, 4)), torch.rand(1, 1, 64, 64)
    assert features(image).shape == (1, 64 + 64 + 128 + 256 + 512, 4, 4)
    state = {**features.backbone.state_dict(), "fc.weight": torch.ones(1000, 512)}
    torch.save(state, tmp_path / "resnet18.pth")
    assert FrozenFeatures(2, 1, name, weights=tmp_path / "resnet18.pth").weights_hash() == features.weights_hash()
    with pytest.raises(ValueError, match="no_such_network"):
        _random(backbone_name=f"{package}:no_such_network")
