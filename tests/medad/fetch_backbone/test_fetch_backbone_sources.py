# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.fetch_backbone import published_channels, published_url
from torch import nn

SMALL = "efficientnet-b0"


# where weights lie


def test_addresses() -> None:
    releases = "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/"
    assert published_url("efficientnet-b4", 2) == f"{releases}efficientnet-b4-6ed6700e.pth"
    medicalnet = "https://huggingface.co/TencentMedicalNet/MedicalNet-Resnet101/resolve/main/resnet_101.pth"
    assert published_url("resnet101", 3) == medicalnet
    assert [published_channels(name) for name in ("resnet10", "torchvision:resnet18", "timm:resnet18", SMALL)] == [
        1, 3, 3, 3,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dims"), [("resnet10", 2), (SMALL, 3), ("efficientnet-b8", 2), ("efficientnet-l2", 2)]
)
def test_what_nobody_has_published(name: str, dims: int) -> None:
    with pytest.raises(InputError, match=f"{name}: no weights are published for spatial_dims {dims}"):
        published_url(name, dims)


@pytest.mark.parametrize("depth", [10, 200])
def test_the_address_is_that_of_monai(depth: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from monai.networks.nets import resnet

    def hub(repo_id: str, filename: str) -> str:
        asked.append(f"https://huggingface.co/{repo_id}/resolve/main/{filename}")
        torch.save({"state_dict": {}}, tmp_path / "empty.pth")
        return str(tmp_path / "empty.pth")

    asked: list[str] = []
    monkeypatch.setattr(resnet, "hf_hub_download", hub)
    resnet._load_state_dict(nn.Identity(), f"resnet{depth}")
    assert asked == [published_url(f"resnet{depth}", 3)]
