# SPDX-License-Identifier: Apache-2.0
"""Source of a release: the bundle as configured, and weights that fit it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.networks.utils import eval_mode
from torch import nn

from ..calibration import calibration_of_weights
from ..configuration import PathLike, build, read_config
from ..errors import InputError
from ..networks import FrozenFeatures, load_weights
from .configs import require_bakeable
from .destination import is_release

_FILES = ("configs/inference.json", "configs/train.json", "configs/metadata.json", "docs", "LICENSE")


@dataclass(frozen=True)
class Source:
    """A bundle, its configuration for inference, and the files of its model.

    Attributes:
        bundle: folder of the bundle.
        config: ``inference.json`` with the overlays.
        network: the network on the CPU, in evaluation mode, with the weights if there are any.
        weights: model.pt, or ``None``.
        calibration: calibration.json, or ``None``.
    """

    bundle: Path
    config: ConfigParser
    network: nn.Module
    weights: Path | None
    calibration: Path | None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape ``(C, *spatial)`` of an image on the grid of the network."""
        return int(build(self.config, "in_channels")), *(int(size) for size in build(self.config, "image_size"))

    def out_channels(self) -> int:
        """Count the channels that the network gives."""
        with eval_mode(self.network):
            return int(self.network(torch.zeros(1, *self.image_shape)).shape[1])

    def backbone(self) -> dict[str, Any] | None:
        """Say which weights frozen features come from: name, hash, and whether they are random."""
        frozen = (module for module in self.network.modules() if isinstance(module, FrozenFeatures))
        return next((features.describe() for features in frozen), None) if self.weights else None


def open_source(
    bundle: Path, overlays: Sequence[PathLike], weights: Path | None, calibration: Path | None, without_weights: bool
) -> Source:
    """Read a bundle and check that weights and calibration belong to it.

    Args:
        bundle: folder of the bundle.
        overlays: overlays that the weights were trained with.
        weights: model.pt; by default that of the bundle.
        calibration: calibration.json; by default it is looked for beside the weights.
        without_weights: whether to leave out weights and calibration.

    Returns:
        The source.

    Raises:
        InputError: if the folder is no complete bundle, an overlay cannot become part of a release, or there are no
            weights, or they do not fit the configuration.
        CalibrationError: if there is a calibration, and it belongs to other weights or settings.
    """
    _require_bundle(bundle)
    require_bakeable(bundle, overlays)
    config = read_config(bundle, "inference", overlays, {"device": "cpu"})
    for key in ("channels_last", "compile"):  # how a network is stored and executed is no part of it
        if key in config:
            config[key] = False
    network: nn.Module = build(config, "network")
    network.eval()
    if without_weights:
        return Source(bundle, config, network, None, None)
    path = weights or bundle / "models" / "model.pt"
    _load(network, path)
    beside = path.with_name("calibration.json")
    if calibration is None and not beside.is_file():
        return Source(bundle, config, network, path, None)
    otherwise = "name another with --calibration; without a calibration.json beside the weights a release has none"
    calibration_of_weights(calibration or beside, path, build(config, "calibration").settings, otherwise)
    return Source(bundle, config, network, path, calibration or beside)


def _require_bundle(bundle: Path) -> None:
    if is_release(bundle):
        raise InputError(
            "it is a release already",
            where=bundle,
            expected="the bundle that it was made from, such as bundles/<name>",
            remedy="Export that bundle; a release is handed on as it is.",
        )
    missing = [name for name in _FILES if not (bundle / name).exists()]
    if missing:
        raise InputError(
            f"no complete bundle there: it has no {', '.join(missing)}",
            where=bundle,
            expected="the folder of a bundle, such as bundles/<name>",
            remedy="Correct the path of the bundle, or add what is missing.",
        )


def _load(network: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise InputError(
            "no weights there",
            where=path.resolve(),
            expected="a trained model.pt",
            remedy="Run train.json first, or name the file with --weights; --without_weights makes a release without.",
        )
    try:
        load_weights(network, path)
    except InputError as error:
        raise InputError(
            error.what,
            where=error.where,
            expected=error.expected,
            remedy="Name every overlay that the weights were trained with, and no other: --overlay cpu, say.",
        ) from None
