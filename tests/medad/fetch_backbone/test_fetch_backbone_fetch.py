# SPDX-License-Identifier: Apache-2.0
import hashlib
import logging
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.fetch_backbone import download, fetch, fetch_weights, published_channels
from medad.fetch_backbone.__main__ import main
from medad.networks import FrozenFeatures
from medad.networks.features.backbones import Backbone, make_backbone
from torch import Tensor, nn

SMALL = "efficientnet-b0"


def _state(backbone_name: str, spatial_dims: int, in_channels: int) -> dict[str, Tensor]:
    """Weights unlike those that a new backbone has."""
    generator = torch.Generator().manual_seed(5)
    state = make_backbone(backbone_name, spatial_dims, in_channels).network.state_dict()
    return {
        name: torch.rand(value.shape, generator=generator) + 0.5 if value.is_floating_point() else value + 3
        for name, value in state.items()
    }


def _lukemelas(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of lukemelas/EfficientNet-PyTorch, with the head that its files hold."""
    short = {re.sub(r"^_blocks\.\d+\.", "_blocks.", name): value for name, value in state.items()}
    assert len(short) == len(state) and "_blocks.15._bn2.weight" in short
    return {**short, "_conv_head.weight": torch.ones(2), "_bn1.bias": torch.ones(2), "_fc.bias": torch.ones(2)}


def _publish(content: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, hashed: bool = False) -> str:
    """Put a file at the address where weights are looked for."""
    path = folder / "published.pth"
    torch.save(content, path)
    if hashed:
        path = path.rename(folder / f"b-b0-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth")
    monkeypatch.setattr(fetch, "published_url", lambda _name, _dims: path.as_uri())
    return path.as_uri()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One convolution in place of a ResNet, and its weights at the address of the published ones."""

    def make(_name: str, spatial_dims: int, in_channels: int) -> Backbone:
        assert (spatial_dims, in_channels) == (3, 1)
        return Backbone(nn.Sequential(nn.Conv3d(1, 4, 3)), (4,), ())

    monkeypatch.setattr(fetch, "make_backbone", make)
    (tmp_path / "published").mkdir()
    _publish(
        {"0.weight": torch.full((4, 1, 3, 3, 3), 7.0), "0.bias": torch.zeros(4)}, monkeypatch, tmp_path / "published"
    )


def _fails(arguments: list[str], folder: Path) -> str:
    """Run the command in vain: one line, and nothing is left in the folder."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    message = str(caught.value.code)  # which Python prints, with status 1
    assert message.startswith("error: ") and "\n" not in message
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return message


# what is written


CASES: list[tuple[str, int, Any]] = [
    (SMALL, 2, _lukemelas),
    ("resnet10", 3, lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}}),
]


@pytest.mark.parametrize(("name", "dims", "wrap"), CASES)
def test_a_training_takes_what_is_fetched(
    name: str,
    dims: int,
    wrap: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    channels = published_channels(name)
    state = _state(name, dims, channels)
    _publish(wrap(state), monkeypatch, tmp_path, hashed=True)
    out = tmp_path / "new folder" / "backbone.pt"
    main([name, "--out", str(out), "--spatial-dims", str(dims)])
    assert [path.name for path in out.parent.iterdir()] == ["backbone.pt"]
    written = torch.load(out, weights_only=True)
    assert list(written) == list(state) and all(torch.equal(written[key], value) for key, value in state.items())

    printed = capsys.readouterr().out
    options = shlex.split(" ".join(line for line in printed.splitlines() if line.startswith("    --")))
    given = dict(zip(options[::2], options[1::2], strict=True))
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    scale = {"--backbone_mean": "[0.0]", "--backbone_std": "[1.0]"} if channels == 1 else {}
    assert given == {"--backbone_name": name, "--backbone_weights": str(out), "--backbone_sha256": sha256, **scale}
    assert "SHA-256 " + sha256 in printed and "licence" in printed
    with caplog.at_level(logging.WARNING):
        features = FrozenFeatures(
            dims,
            1,
            given["--backbone_name"],
            feature_size=(4,) * dims,
            weights=given["--backbone_weights"],
            sha256=given["--backbone_sha256"],
            **({"mean": (0.0,), "std": (1.0,)} if channels == 1 else {}),
        )
    features.require_weights()
    assert "RANDOM" not in caplog.text and not features.describe()["random"]
    assert all(torch.equal(value, state[key]) for key, value in features.backbone.state_dict().items())


@pytest.mark.usefixtures("tiny")
def test_the_hash_does_not_depend_on_the_name_of_the_file(tmp_path: Path) -> None:
    hashes = [fetch_weights("resnet10", tmp_path / name, spatial_dims=3) for name in ("a.pt", "b.pth")]
    assert hashes[0] == hashes[1] and (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pth").read_bytes()


@pytest.mark.usefixtures("tiny")
def test_a_file_that_exists_is_replaced_where_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "backbone.pt"
    out.write_text("old")
    arguments = ["resnet10", "--spatial_dims", "3", "--out", str(out)]
    assert "backbone.pt: it exists" in _fails(arguments, tmp_path)
    main([*arguments, "--overwrite"])
    assert torch.equal(torch.load(out, weights_only=True)["0.weight"], torch.full((4, 1, 3, 3, 3), 7.0))
    folder = tmp_path / "folder"
    (folder / "kept").mkdir(parents=True)
    with pytest.raises(InputError, match="it exists"):
        fetch_weights("resnet10", folder, spatial_dims=3, overwrite=True)
    assert (folder / "kept").is_dir()


def test_another_hash_than_the_name_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "efficientnet-b0-355c32eb.pth").write_bytes(b"changed")
    found = hashlib.sha256(b"changed").hexdigest()
    url = (tmp_path / "efficientnet-b0-355c32eb.pth").as_uri()
    monkeypatch.setattr(fetch, "published_url", lambda _name, _dims: url)
    message = _fails([SMALL, "--out", str(tmp_path / "backbone.pt")], tmp_path)
    assert f"{url}: invalid hash value" in message and '"355c32eb"' in message and found in message


def test_a_name_without_a_hash_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "resnet-b0.pth").write_bytes(b"content")
    download.download_file((tmp_path / "resnet-b0.pth").as_uri(), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"0.weight": torch.zeros(4, 1, 3, 3, 3)}, r"weights do not fit: 1 of 2 tensors do, 1 missing \(0.bias\)"),
        ({"0.weight": torch.zeros(4, 3, 3, 3, 3), "0.bias": torch.zeros(4)}, r"1 of another shape \(0.weight"),
        ({"state_dict": [1, 2]}, "something other than tensors"),
    ],
)
@pytest.mark.usefixtures("tiny")
def test_a_file_of_something_else(content: Any, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = _publish(content, monkeypatch, tmp_path)
    message = _fails(["resnet10", "--spatial_dims", "3", "--out", str(tmp_path / "backbone.pt")], tmp_path)
    assert message.startswith(f"error: {url}: ") and re.search(said, message)


def test_weights_of_another_backbone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _publish(_lukemelas(_state(SMALL, 2, 3)), monkeypatch, tmp_path)
    message = _fails(["efficientnet-b1", "--out", str(tmp_path / "backbone.pt")], tmp_path)
    assert "weights do not fit" in message and "missing (_blocks" in message


@pytest.mark.usefixtures("tiny")
def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = _fails(["resnet10", "--spatial_dims", "3", "--out", str(tmp_path / "file" / "backbone.pt")], tmp_path)
    assert "cannot be written" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vgg"], "'vgg': must be torchvision:NAME, timm:NAME or one of efficientnet-b0"),
        (["torchvision:resnet18", "--spatial_dims", "3"], "torchvision has networks for spatial_dims=2 only"),
        (["resnet10"], "no weights are published for spatial_dims 2"),
    ],
)
def test_unknown_names(arguments: list[str], said: str, tmp_path: Path) -> None:
    assert said in _fails([*arguments, "--out", str(tmp_path / "backbone.pt")], tmp_path)


# other packages


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_a_missing_package(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = name.partition(":")[0]
    for module in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, module, None)
    message = _fails([name, "--out", str(tmp_path / "backbone.pt")], tmp_path)
    assert f"{package} is not installed" in message and "medad[backbones]" in message
