# SPDX-License-Identifier: Apache-2.0
"""Benchmark of kept features: training steps on features from disk against steps on images.

Both train the same UniAD on the same batches; steps of both alternate, and inference is measured between them. The
weights of the backbone are random: its speed does not depend on them.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..loading import FeatureDataset
from ..losses import FeatureReconstructionLoss
from ..networks import FeatureReconstruction, FrozenFeatures, UniAD
from .timing import Stopwatch, interleaved, machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--backbone", default="efficientnet-b4", help="backbone, with random weights")
    parser.add_argument("--image-size", type=int, default=224, help="pixels along each axis")
    parser.add_argument("--feature-size", type=int, default=14, help="places along each axis of the grid of features")
    parser.add_argument("--batch-size", type=int, default=8, help="images of a step")
    parser.add_argument("--repeats", type=int, default=5, help="measured steps of each kind")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure one batch at a time.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        A row for training on images, training on kept features, and inference.
    """
    device = torch.device(args.device)
    torch.manual_seed(0)
    grid = (args.feature_size,) * 2
    features = FrozenFeatures(2, 1, args.backbone, feature_size=grid, allow_random=True)
    network = FeatureReconstruction(features, UniAD(2, features.out_channels, grid)).to(device)
    images = torch.rand(args.batch_size, 1, args.image_size, args.image_size)
    step = partial(_step, network, torch.optim.AdamW(network.reconstruction.parameters()))
    with tempfile.TemporaryDirectory() as folder:
        kept = DataLoader(_kept(images, features, Path(folder), device), batch_size=args.batch_size)
        work: dict[str, Callable[[], object]] = {
            "training, features computed": lambda: step(images.to(device)),
            "training, features kept": lambda: step(next(iter(kept))["image"].to(device)),
            "inference": partial(_infer, network, images, device),
        }
        seconds = interleaved(
            {name: partial(_measured, name, call, device) for name, call in work.items()}, args.repeats
        )
    first = median(seconds["training, features computed"])
    return [
        {
            "what": name,
            "backbone": args.backbone,
            "image_size": f"{args.image_size}x{args.image_size}",
            "features": "x".join(map(str, (features.out_channels, *grid))),
            "batch_size": args.batch_size,
            "images_per_second": f"{args.batch_size / median(each):.2f}",
            "ms_per_image": f"{1000 * median(each) / args.batch_size:.2f}",
            "speedup": f"{first / median(each):.2f}" if name.startswith("training") else None,
            "repeats": args.repeats,
            **machine(device),
        }
        for name, each in seconds.items()
    ]


def _kept(images: Tensor, features: FrozenFeatures, folder: Path, device: torch.device) -> FeatureDataset:
    items = [{"image": str(number), "number": number} for number in range(len(images))]
    return FeatureDataset(
        items,
        lambda item: {"image": images[item["number"]]},
        features,
        images.ndim - 2,
        folder,
        device=device,
        progress=False,
    )


def _step(network: FeatureReconstruction, optimizer: torch.optim.Optimizer, batch: Tensor) -> None:
    network.train()
    optimizer.zero_grad()
    FeatureReconstructionLoss(nn.MSELoss())(network(batch)).backward()
    optimizer.step()


@torch.no_grad()
def _infer(network: FeatureReconstruction, images: Tensor, device: torch.device) -> Tensor:
    anomaly_map: Tensor = network.eval()(images.to(device)).cpu()
    return anomaly_map


def _measured(name: str, call: Callable[[], object], device: torch.device) -> float:
    watch = Stopwatch(device)
    with watch(name):
        call()
    return watch.seconds[name]
