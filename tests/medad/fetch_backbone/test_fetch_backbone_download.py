# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import torch
from medad.fetch_backbone import download, fetch, fetch_weights, published_url
from medad.fetch_backbone.__main__ import main
from medad.networks.features.backbones import Backbone
from torch import nn

SMALL = "efficientnet-b0"


def _refuse(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", urlopen)


def _fails(arguments: list[str], folder: Path) -> str:
    """Run the command in vain: one line, and nothing is left in the folder."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    message = str(caught.value.code)  # which Python prints, with status 1
    assert message.startswith("error: ") and "\n" not in message
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return message


# what cannot be fetched


@pytest.mark.parametrize(
    ("name", "dims", "error", "said"),
    [
        (SMALL, 2, URLError("Name or service not known"), "Name or service not known"),
        ("resnet10", 3, HTTPError("u", 404, "Not Found", None, None), "HTTP Error 404: Not Found"),  # type: ignore[arg-type]
        (SMALL, 2, TimeoutError("timed out"), "timed out"),
    ],
)
def test_no_network(
    name: str, dims: int, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _refuse(error, monkeypatch)
    message = _fails([name, "--spatial_dims", str(dims), "--out", str(tmp_path / "backbone.pt")], tmp_path)
    assert f"{published_url(name, dims)}: not reachable" in message and said in message
    assert "give that file as --backbone_weights" in message


def test_torchvision_says_where_its_best_weights_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_model_weights(name: str) -> Any:
        return SimpleNamespace(DEFAULT=SimpleNamespace(url=f"https://example.org/{name}-0123abcd.pth"))

    monkeypatch.setattr(
        "medad.fetch_backbone.sources.optional_import",
        lambda name: (SimpleNamespace(get_model_weights=get_model_weights), name == "torchvision.models"),
    )
    assert published_url("torchvision:resnet18", 2) == "https://example.org/resnet18-0123abcd.pth"


def _timm(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[dict[str, Any]]:
    """Stand in for timm: a network of one convolution, whose pretrained weights are sevens."""

    def create_model(name: str, **arguments: Any) -> nn.Module:
        asked.append({"name": name, **arguments})
        if arguments["pretrained"] and error is not None:
            raise error
        network = nn.Sequential(nn.Conv2d(arguments["in_chans"], 4, 3))
        nn.init.constant_(network[0].weight, 7.0 if arguments["pretrained"] else 0.0)
        network.feature_info = SimpleNamespace(channels=lambda: [4])  # type: ignore[assignment]
        return network

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(download, "optional_import", lambda _: (SimpleNamespace(create_model=create_model), True))
    monkeypatch.setattr(
        fetch,
        "make_backbone",
        lambda name, _dims, channels: Backbone(
            create_model(name.partition(":")[2], pretrained=False, in_chans=channels), (4,), ()
        ),
    )
    return asked


def test_timm_fetches_its_own_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = _timm(monkeypatch)
    fetch_weights("timm:small", tmp_path / "backbone.pt")
    assert asked[1] == {"name": "small", "pretrained": True, "features_only": True, "in_chans": 3}
    assert torch.equal(torch.load(tmp_path / "backbone.pt", weights_only=True)["0.weight"], torch.full((4, 3, 3, 3), 7))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("cannot find the requested files"), "timm:small: weights not reachable (cannot find"),
        (
            RuntimeError("No pretrained weights exist for small."),
            "timm:small: timm has no weights of it (No pre",
        ),
    ],
)
def test_timm_in_vain(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _timm(monkeypatch, error)
    assert said in _fails(["timm:small", "--out", str(tmp_path / "backbone.pt")], tmp_path)


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_no_network_for_the_real_packages(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip(name.partition(":")[0])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _refuse(URLError("no network"), monkeypatch)
    assert "not reachable" in _fails([name, "--out", str(tmp_path / "backbone.pt")], tmp_path)
