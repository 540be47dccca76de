# SPDX-License-Identifier: Apache-2.0
"""Frozen features: a feature pyramid that is never trained, and which weights it comes from."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from ...errors import InputError
from ..weights import tensor_hash
from .feature_pyramid import IMAGENET_MEAN, IMAGENET_STD, FeaturePyramid

_logger = logging.getLogger(__name__)

_FORMAT = 1  # of key(); a change of what forward computes counts it up


class FrozenFeatures(FeaturePyramid):
    """What methods based on features see of an image: a feature pyramid in evaluation mode, without gradient.

    The backbone is part of the state dict, and so is the SHA-256 of its weights. A network without a file of weights
    has to get them with a state dict; it refuses to be trained on before.

    Args:
        spatial_dims: see :class:`FeaturePyramid`, like all that is not listed here.
        in_channels: see there.
        backbone_name: see there.
        layers: see there.
        feature_size: see there.
        weights: file with the weights; ``None`` where a state dict brings them.
        sha256: hash that this file must have.
        allow_random: train on random weights where there is no file. They are the same in every process.
        in_state_dict: whether the backbone is part of the state dict. If not, its hash still is, and a network that
            takes the state dict needs the same file of weights.
        mean: see there.
        std: see there.

    Shape:
        ``(B, C, *spatial)`` in [0, 1] to ``(B, out_channels, *feature_size)``, without gradient.

    Raises:
        InputError: if the weights do not fit, or the backbone needs a package that is not installed.
        ValueError: if arguments contradict each other; in a call, if channels or axes do not fit.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        backbone_name: str = "efficientnet-b4",
        layers: Sequence[int] = (0, 1, 2, 3),
        feature_size: Sequence[int] = (14, 14),
        weights: str | Path | None = None,
        sha256: str | None = None,
        allow_random: bool = False,
        in_state_dict: bool = True,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        if weights is None and sha256 is not None:
            raise ValueError(f"sha256={sha256!r}: belongs to a file of weights, and none is given.")
        super().__init__(
            spatial_dims, in_channels, backbone_name, layers, feature_size, weights, sha256, mean=mean, std=std
        )
        self.in_state_dict = in_state_dict
        self.random_hash = self.weights_hash() if weights is None else ""
        self.has_weights = weights is not None or allow_random
        if weights is None and allow_random:
            self._warn_of_random_weights()
        self.backbone_sha256: Tensor
        self.register_buffer("backbone_sha256", _as_tensor(self.weights_hash()))
        self.register_load_state_dict_pre_hook(_complete)
        self.register_load_state_dict_post_hook(_note_weights)
        self.register_state_dict_post_hook(_leave_out)
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Give the features of images ``x``."""
        with torch.no_grad():
            return self.levels_on_grid(x)

    @torch.jit.unused
    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever the network around it does; statistics of batches would change features."""
        return super().train(False)

    @torch.jit.unused
    def weights_hash(self) -> str:
        """SHA-256 of the backbone's tensors."""
        return tensor_hash(self.backbone.state_dict())

    @torch.jit.unused
    def key(self) -> str:
        """SHA-256 of everything that makes the features of an image: features with the same key are the same."""
        self.require_weights()
        parts = [_FORMAT, self.backbone_name, self.layers, self.feature_size, self.weights_hash()]
        parts += [self.mean.flatten().tolist(), self.std.flatten().tolist()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @torch.jit.unused
    def require_weights(self) -> None:
        """Refuse features that nobody chose.

        Raises:
            InputError: if weights came neither from a file nor with a state dict, and random ones were not asked for.
        """
        if not self.has_weights:
            raise InputError(
                "no file with weights",
                where=f"backbone {self.backbone_name}",
                expected="weights, a path on this machine (nothing is fetched)",
                remedy="Give weights; for tests, allow_random=True without sha256 makes features from random weights.",
            )

    @torch.jit.unused
    def describe(self) -> dict[str, Any]:
        """Say what the features come from, for the metadata of a release."""
        return {
            "name": self.backbone_name,
            "sha256": bytes(self.backbone_sha256.tolist()).hex(),
            "random": self.weights_hash() == self.random_hash,
        }

    def _warn_of_random_weights(self) -> None:
        _logger.warning("backbone %s: features are RANDOM, no file with weights was given", self.backbone_name)


def _as_tensor(sha256: str) -> Tensor:
    return torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.uint8)


def _complete(
    module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any, _strict: bool, _missing: list[str],
    _unexpected: list[str], errors: list[str],
) -> None:  # fmt: skip
    """Put the own backbone into a state dict that has none, if it is the one that the state dict belongs to."""
    assert isinstance(module, FrozenFeatures)
    names = [f"{prefix}backbone.{name}" for name in module.backbone.state_dict()]
    kept = state.get(f"{prefix}backbone_sha256")
    if kept is None or any(name in state for name in names):
        return
    if not module.has_weights or not torch.equal(kept.cpu(), module.backbone_sha256.cpu()):
        errors.append(
            f"the backbone is not in the state dict, and needs a file with weights of the SHA-256 "
            f"{bytes(kept.tolist()).hex()} of tensors ({module.backbone_name})"
        )
    state.update(zip(names, module.backbone.state_dict().values(), strict=True))


def _note_weights(module: nn.Module, _incompatible: Any) -> None:
    assert isinstance(module, FrozenFeatures)
    module.has_weights = True
    if module.weights_hash() == module.random_hash:
        module._warn_of_random_weights()


def _leave_out(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    assert isinstance(module, FrozenFeatures)
    if not module.in_state_dict:
        for name in [name for name in state if name.startswith(f"{prefix}backbone.")]:
            del state[name]
