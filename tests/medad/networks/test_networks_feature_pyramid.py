# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.networks import FeaturePyramid, FrozenFeatures, tensor_hash
from torch import Tensor

pytestmark = pytest.mark.usefixtures("no_network")
SMALL = "efficientnet-b0"


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
    random_features: Callable[..., FrozenFeatures],
    name: str,
    layers: tuple[int, ...],
    modules: list[str],
    size: tuple[int, ...],
    channels: int,
) -> None:
    features = random_features(len(size), channels, name, layers=layers, feature_size=(5, 3, 4)[: len(size)])
    images = torch.rand(2, channels, *size)
    found = features(images)
    with torch.no_grad():
        right = _by_hand(features, images, modules, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert found.shape == (2, features.out_channels, *features.feature_size) == right.shape
    np.testing.assert_allclose(found.numpy(), right, rtol=1e-3, atol=1e-4 * float(np.abs(right).max()))


def test_a_gray_image_gives_what_its_three_equal_channels_give(
    random_features: Callable[..., FrozenFeatures], small: FrozenFeatures
) -> None:
    image = torch.rand(2, 1, 64, 64)
    assert torch.equal(small(image), random_features(in_channels=3)(image.repeat(1, 3, 1, 1)))


def test_mean_and_std_make_the_channels(random_features: Callable[..., FrozenFeatures]) -> None:
    features = random_features(3, 1, "resnet10", mean=(0.2,), std=(0.5,), layers=(1,))
    assert features.backbone.conv1.weight.shape[1] == 1
    image = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        right = _by_hand(features, image, ["layer1"], (0.2,), (0.5,))
    np.testing.assert_allclose(features(image).numpy(), right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_pyramid_is_trained_and_its_backbone_frozen_then(
    random_features: Callable[..., FrozenFeatures], spatial_dims: int, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"layers": (0, 2), "feature_size": (4,) * spatial_dims}
    pyramid = FeaturePyramid(spatial_dims, 1, SMALL, **arguments)
    before, image = tensor_hash(pyramid.backbone.state_dict()), torch.rand(2, 1, *[32] * spatial_dims)
    assert before == random_features(spatial_dims, layers=(0, 2)).weights_hash()
    pyramid(image).square().mean().backward()
    assert all(parameter.grad is not None for parameter in pyramid.parameters())
    torch.optim.SGD(pyramid.parameters(), 0.01).step()
    torch.save(pyramid.backbone.state_dict(), tmp_path / "backbone.pt")
    frozen = FrozenFeatures(spatial_dims, 1, SMALL, weights=tmp_path / "backbone.pt", **arguments)
    assert frozen.weights_hash() == tensor_hash(pyramid.backbone.state_dict()) != before
    assert torch.equal(frozen(image), pyramid.eval()(image))


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
def test_arguments_that_do_not_fit(
    random_features: Callable[..., FrozenFeatures], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        random_features(**arguments)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 1, 32, 32, 32), (1, 64, 64)])
def test_images_that_do_not_fit(shape: tuple[int, ...], small: FrozenFeatures) -> None:
    with pytest.raises(ValueError, match="1 channels and 2 spatial axes"):
        small(torch.rand(shape))
