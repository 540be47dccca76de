# SPDX-License-Identifier: Apache-2.0
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.networks import FrozenFeatures
from torch import Tensor

pytestmark = pytest.mark.usefixtures("no_network")
SMALL = "efficientnet-b0"


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
def test_weights_from_a_file(
    unlike: Callable[[FrozenFeatures], dict[str, Tensor]],
    random_features: Callable[..., FrozenFeatures],
    wrapping: str,
    small: FrozenFeatures,
    tmp_path: Path,
) -> None:
    state = unlike(random_features(layers=(4,)))  # files hold all levels
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


def test_a_resnet_takes_a_file_with_a_head(random_features: Callable[..., FrozenFeatures], tmp_path: Path) -> None:
    state = random_features(backbone_name="resnet50").backbone.state_dict()
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
def test_what_does_not_fit_is_named(
    unlike: Callable[[FrozenFeatures], dict[str, Tensor]],
    change: Any,
    message: str,
    small: FrozenFeatures,
    tmp_path: Path,
) -> None:
    torch.save(change(unlike(small)), tmp_path / "weights.pth")
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
