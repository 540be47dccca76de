# SPDX-License-Identifier: Apache-2.0
"""Features of small backbones."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
import torch
from medad.networks import FrozenFeatures
from torch import Tensor


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody open a connection."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket is opened")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture(scope="session")
def random_features() -> Callable[..., FrozenFeatures]:
    """Make features of random weights."""

    def make(
        spatial_dims: int = 2, in_channels: int = 1, backbone_name: str = "efficientnet-b0", **arguments: Any
    ) -> FrozenFeatures:
        grid = {"feature_size": (4,) * spatial_dims, **arguments}
        return FrozenFeatures(spatial_dims, in_channels, backbone_name, allow_random=True, **grid)

    return make


@pytest.fixture(scope="module")
def small(random_features: Callable[..., FrozenFeatures]) -> FrozenFeatures:
    """Features of random weights, which nobody may change."""
    return random_features()


@pytest.fixture(scope="session")
def unlike() -> Callable[[FrozenFeatures], dict[str, Tensor]]:
    """Make weights for the same backbone that are unlike its own."""

    def make(features: FrozenFeatures) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(5)
        return {
            name: torch.rand(value.shape, generator=generator) + 0.5 if value.is_floating_point() else value + 3
            for name, value in features.backbone.state_dict().items()
        }

    return make
