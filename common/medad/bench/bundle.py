# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of a bundle share: its workflow on phantom images in a temporary folder."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow
from torch import nn

from ..configuration import open_workflow, parse_value
from ..errors import InputError
from ..phantom import write_phantom_dataset


def add_bundle_arguments(parser: argparse.ArgumentParser, images: int) -> None:
    """Add the options of all benchmarks of a bundle.

    Args:
        parser: where to add them.
        images: default number of images.
    """
    parser.add_argument("--bundle", type=Path, required=True, help="folder of a bundle")
    parser.add_argument("--config", nargs="*", default=["cpu"], help="overlays, such as: volume_3d cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="keys with other values")
    parser.add_argument("--images", type=int, default=images, help="number of phantom images")
    parser.add_argument("--image-size", type=int, nargs="+", help="their size; by default 128 x 128 or 48 x 48 x 48")
    parser.add_argument("--repeats", type=int, default=5, help="measured rounds; medians are written")
    parser.add_argument("--seed", type=int, default=0, help="seed of phantoms and training")


def settings(texts: Sequence[str]) -> dict[str, Any]:
    """Read what a command line sets.

    Args:
        texts: ``KEY=VALUE`` each.

    Returns:
        Values by key.

    Raises:
        InputError: if there is no equals sign.
    """
    pairs = [text.partition("=") for text in texts]
    for key, equals, _ in pairs:
        if not equals:
            raise InputError("no value given", where=key, expected="KEY=VALUE", remedy="Give the value of the key.")
    return {key: parse_value(value) for key, _, value in pairs}


def build(bundle: Path, configs: Sequence[str], **overrides: Any) -> ConfigWorkflow:
    """Build and initialize the workflow of a bundle.

    Args:
        bundle: folder of the bundle.
        configs: names of config files, base first.
        overrides: keys of the config to override; separators may be written as ``__``.

    Returns:
        The workflow.

    Raises:
        InputError: if a config file or a key does not exist.
    """
    base, *overlays = configs
    return open_workflow(bundle, base, overlays, {key.replace("__", "#"): value for key, value in overrides.items()})


def write_phantoms(out: Path, spatial_dims: int, image_size: Sequence[int] | None, seed: int, **counts: int) -> Path:
    """Write a phantom data set with the given numbers of images per split and none in the others."""
    none = {"training": 0, "calibration": 0, "validation": 0, "test": 0}
    write_phantom_dataset(out, spatial_dims=spatial_dims, image_size=image_size, counts={**none, **counts}, seed=seed)
    return out


def parameters(network: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
