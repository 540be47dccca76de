# SPDX-License-Identifier: Apache-2.0
"""Backbones by name: networks of MONAI, torchvision and timm that give features of several levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from monai.networks.nets import EfficientNetBNFeatures, ResNetFeatures
from monai.networks.nets.efficientnet import EfficientNetEncoder
from monai.networks.nets.resnet import ResNetEncoder
from monai.utils import optional_import
from torch import Tensor, nn

from ...errors import InputError

_EFFICIENTNETS = dict(
    zip(EfficientNetEncoder.get_encoder_names(), EfficientNetEncoder.num_channels_per_output(), strict=True)
)
_RESNETS = dict(zip(ResNetEncoder.get_encoder_names(), ResNetEncoder.num_channels_per_output(), strict=True))
_RESNET_STAGES = ((), ("layer1",), ("layer2",), ("layer3",), ("layer4",))


@dataclass(frozen=True)
class Backbone:
    """A network and what its levels and its files of weights look like.

    Args:
        network: from images ``(B, C, *spatial)`` to a list of levels ``(B, F, *grid)``, fine to coarse.
        channels: F of every level.
        head: modules of the classifier that it was cut from; their weights are in files, and not in ``network``.
        stages: modules that each level needs beyond those of the level before; empty if they cannot be told apart.
    """

    network: nn.Module
    channels: tuple[int, ...]
    head: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...] = ()

    def deeper_than(self, level: int) -> tuple[str, ...]:
        """Name the modules that this level and all finer ones do without."""
        return tuple(chain.from_iterable(self.stages[level + 1 :]))

    def cut(self, level: int) -> None:
        """Take these modules out; what the network gives for deeper levels means nothing then."""
        for name in self.deeper_than(level):
            parent, _, child = name.rpartition(".")
            setattr(self.network.get_submodule(parent), child, nn.Identity())


def make_backbone(backbone_name: str, spatial_dims: int, in_channels: int) -> Backbone:
    """Build the network that a name stands for. Nothing is ever fetched, so its weights are random.

    Args:
        backbone_name: MONAI's ``"efficientnet-b0"`` to ``"efficientnet-l2"`` and ``"resnet10"`` to ``"resnet200"`` in
            2D and 3D; in 2D also ``"torchvision:NAME"`` for a ResNet, and ``"timm:NAME"``, where these are installed.
        spatial_dims: spatial axes, 2 or 3.
        in_channels: channels of its input.

    Raises:
        InputError: if the package that a name asks for is not installed.
        ValueError: if there is no such network.
    """
    package, _, name = backbone_name.rpartition(":")
    if not package and name in _EFFICIENTNETS:
        return _monai_efficientnet(name, spatial_dims, in_channels)
    if not package and name in _RESNETS:
        network = ResNetFeatures(name, pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels)
        return Backbone(network, tuple(_RESNETS[name]), ("fc",), _RESNET_STAGES)
    if package not in ("torchvision", "timm"):
        known = ", ".join([*_EFFICIENTNETS, *_RESNETS])
        raise ValueError(f"backbone_name={backbone_name!r}: must be torchvision:NAME, timm:NAME or one of {known}.")
    if spatial_dims != 2:
        raise ValueError(f"backbone_name={backbone_name!r}: {package} has networks for spatial_dims=2 only.")
    make = _torchvision_resnet if package == "torchvision" else _timm_network
    return make(name, in_channels)


def _monai_efficientnet(name: str, spatial_dims: int, in_channels: int) -> Backbone:
    network = EfficientNetBNFeatures(name, pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels)
    network.set_swish(memory_efficient=False)  # the other one keeps memory in a training, and TorchScript refuses it
    head = ("_conv_head", "_bn1", "_fc")
    for part in (*head, "_conv_head_padding", "_avg_pooling", "_dropout"):  # no level depends on them
        delattr(network, part)
    return Backbone(network, tuple(_EFFICIENTNETS[name]), head, _efficientnet_stages(network.extract_stacks))


def _efficientnet_stages(ends: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Blocks between the ends of two levels."""
    starts = (0, *ends[:-1])
    return tuple(tuple(f"_blocks.{i}" for i in range(*level)) for level in zip(starts, ends, strict=True))


class _TorchvisionResNet(nn.Module):
    """The levels of a ResNet of torchvision, named as in its files: stem and the four stages."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu, self.maxpool = network.conv1, network.bn1, network.relu, network.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = (getattr(network, f"layer{n}") for n in range(1, 5))

    def forward(self, x: Tensor) -> list[Tensor]:
        stem = self.relu(self.bn1(self.conv1(x)))
        first = self.layer1(self.maxpool(stem))
        second = self.layer2(first)
        third = self.layer3(second)
        return [stem, first, second, third, self.layer4(third)]


def _torchvision_resnet(name: str, in_channels: int) -> Backbone:
    models = _import("torchvision.models", f"torchvision:{name}")
    names = [known for known in models.list_models(module=models) if "resne" in known]
    if name not in names:
        raise ValueError(f"backbone_name='torchvision:{name}': must be one of {', '.join(names)}.")
    network = models.get_model(name, weights=None)
    if in_channels != network.conv1.in_channels:
        network.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    wide = network.fc.in_features
    channels = (64, wide // 8, wide // 4, wide // 2, wide)
    return Backbone(_TorchvisionResNet(network), channels, ("fc",), _RESNET_STAGES)


def _timm_network(name: str, in_channels: int) -> Backbone:
    timm = _import("timm", f"timm:{name}")
    try:
        network = timm.create_model(name, pretrained=False, features_only=True, in_chans=in_channels)
    except (RuntimeError, AttributeError, TypeError) as error:  # unknown, or without levels
        raise ValueError(f"backbone_name='timm:{name}': {error}") from error
    # what timm calls the parts after the last level in its networks of convolutions
    return Backbone(network, tuple(network.feature_info.channels()), ("conv_head", "bn2", "classifier", "fc", "head"))


def _import(module: str, backbone_name: str) -> Any:
    # only here: most backbones need neither, and importing them takes seconds
    found, available = optional_import(module)
    if not available:
        package = module.partition(".")[0]
        raise InputError(
            f"the package {package} is not installed",
            where=f"backbone_name={backbone_name!r}",
            expected=f"{package}, which has this network",
            remedy='Install it: pip install "medad[backbones]"; or take a backbone of MONAI.',
        )
    return found
