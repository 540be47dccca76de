# SPDX-License-Identifier: Apache-2.0
"""Trials: an autoencoder of each latent size, and its error on normal images that it has not seen."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow
from monai.inferers import Inferer
from monai.networks.utils import eval_mode
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..configuration import build, open_workflow, read_config, record_settings
from ..datalists import load_datalist
from ..errors import InputError
from ..keys import Keys
from ..loading import CaseDataset, CaseLoader
from ..networks import load_weights

_logger = logging.getLogger(__name__)

KEY = "latent_size"
"""Key of the configuration that is varied."""


@dataclass(frozen=True)
class Trial:
    """One latent size and its errors: mean squared difference of image and reconstruction, over all pixels."""

    latent_size: int
    training_error: float
    heldout_error: float


def sweep(
    bundle: Path, sizes: Sequence[int], overlays: Sequence[str], overrides: Mapping[str, Any], out: Path
) -> Iterator[Trial]:
    """Train at one size after the other.

    Only normal images are looked at: those of the training split, and the held-out ones that also serve for
    calibration. Neither labels nor the test split have a part in it. With ``resume`` among the overrides, sizes that
    an interrupted run with the same settings has trained are kept.

    Args:
        bundle: folder of a bundle whose configuration has the key ``latent_size``.
        sizes: latent sizes.
        overlays: overlays of the bundle.
        overrides: values by key, ``dataset_dir`` among them.
        out: folder for the weights of every size.

    Yields:
        A trial, as soon as it is done.

    Raises:
        InputError: if the bundle has no such key, or the data cannot be used.
    """
    if KEY not in read_config(bundle, "train", overlays, {}).get():
        raise InputError(
            f"no key {KEY!r} in its configuration",
            where=bundle,
            expected="the bundle of an autoencoder with a vector code",
            remedy="Choose another bundle, or leave out an overlay that takes the key away.",
        )
    settings = {name: value for name, value in overrides.items() if name != "resume"}
    record_settings(out / "sweep.json", {"overlays": list(overlays), **settings})
    for size in sizes:
        folder = out / f"{KEY}_{size}"
        paths = {"ckpt_dir": folder, "ckpt_path": folder / "model.pt", "output_dir": folder / "training"}
        # the last weights count, as published: a look at other images while training would change nothing
        given = {**overrides, KEY: size, **paths, "val_interval": 10**9}
        workflow = open_workflow(bundle, "train", overlays, given)
        if not (given.get("resume") and (folder / "model.pt").is_file()):
            _logger.info("latent size %d: training", size)
            build(workflow.parser, "train#trainer").run()
        yield Trial(size, *_errors(workflow, size))


def _errors(workflow: ConfigWorkflow, size: int) -> tuple[float, float]:
    """Measure the error on the training images and on the held-out ones."""
    parser = workflow.parser
    network, device = build(parser, "network"), torch.device(build(parser, "device"))
    load_weights(network, build(parser, "ckpt_path"), device)
    errors = []
    for split in ("training", "calibration"):
        items = load_datalist(
            build(parser, "dataset_dir"),
            split,
            layout=build(parser, "layout"),
            holdout_fraction=build(parser, "holdout_fraction"),
        )
        dataset = CaseDataset(items, build(parser, "preprocessing"))
        loader = CaseLoader(dataset, build(parser, "batch_size"), build(parser, "spatial_dims"))
        reconstruct = partial(_reconstruct, build(parser, "inferer"), network)
        with eval_mode(network):
            errors.append(mean_squared_error(reconstruct, loader, device, f"latent size {size}, {split} images"))
    return errors[0], errors[1]


def _reconstruct(inferer: Inferer, network: nn.Module, images: Tensor) -> Tensor:
    """Take the reconstruction from behind the anomaly map; a network may give other things beside it."""
    result: Tensor = inferer(images, network)
    return result[:, 1:]


def mean_squared_error(
    reconstruct: Callable[[Tensor], Tensor], loader: DataLoader[dict[str, Any]], device: torch.device, description: str
) -> float:
    """Average the squared difference of image and reconstruction over all images of a loader.

    Args:
        reconstruct: gives the reconstruction of a batch of images.
        loader: a :class:`medad.loading.CaseLoader`; its images have one shape.
        device: where it takes them.
        description: of the progress bar.

    Returns:
        The mean.

    Raises:
        InputError: if an image cannot be read: an error without it would not be what it says.
    """
    total, count = torch.zeros((), dtype=torch.float64), 0
    with torch.no_grad():
        for batch in tqdm(loader, description, leave=False):
            if batch["failures"]:
                failure = batch["failures"][0]
                raise InputError(
                    f"cannot be used ({failure['failure']})",
                    where=failure[Keys.CASE],
                    expected="normal images only that can be read",
                    remedy="Repair it, or take it out of the data set.",
                )
            images: Tensor = batch[Keys.IMAGE].to(device)
            total += (reconstruct(images) - images).square().double().sum().cpu()
            count += images.numel()
    return float(total) / count
