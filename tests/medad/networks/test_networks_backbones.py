# SPDX-License-Identifier: Apache-2.0
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.networks import FrozenFeatures

pytestmark = pytest.mark.usefixtures("no_network")
SMALL = "efficientnet-b0"


@pytest.mark.parametrize(("name", "deepest"), [(SMALL, "_blocks.4."), ("resnet10", "layer3.")])
def test_what_is_deeper_than_the_levels_is_left_out(
    random_features: Callable[..., FrozenFeatures], name: str, deepest: str, tmp_path: Path
) -> None:
    whole, part = (random_features(backbone_name=name, layers=layers) for layers in ((0, 3, 4), (0, 3)))
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


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_a_missing_package_is_named_with_its_extra(
    random_features: Callable[..., FrozenFeatures], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = name.partition(":")[0]
    for module in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"{package} is not installed.*medad\[backbones\]"):
        random_features(backbone_name=name)


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_backbones_of_other_packages(random_features: Callable[..., FrozenFeatures], name: str, tmp_path: Path) -> None:
    package = name.partition(":")[0]
    pytest.importorskip(package)
    features, image = random_features(backbone_name=name, layers=(0, 1, 2, 3, 4)), torch.rand(1, 1, 64, 64)
    assert features(image).shape == (1, 64 + 64 + 128 + 256 + 512, 4, 4)
    state = {**features.backbone.state_dict(), "fc.weight": torch.ones(1000, 512)}
    torch.save(state, tmp_path / "resnet18.pth")
    assert FrozenFeatures(2, 1, name, weights=tmp_path / "resnet18.pth").weights_hash() == features.weights_hash()
    with pytest.raises(ValueError, match="no_such_network"):
        random_features(backbone_name=f"{package}:no_such_network")
