# SPDX-License-Identifier: Apache-2.0
"""Benchmark of training: a bundle on phantom images, against a bare PyTorch loop over the same images.

Both have the same network, loss, corruption, optimizer and random transforms. Epochs of both alternate; the loaders
alone and the network alone (one batch again and again) are measured between them.
"""

import argparse
import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.transforms import Compose, Randomizable, Transform
from torch import Tensor
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import TensorDataset

from ..errors import InputError
from ..transforms import RandSyntheticLesionsd
from .bundle import add_bundle_arguments, build, parameters, settings, write_phantoms
from .timing import Stopwatch, machine

_NAMES = {"trainer": "medad", "plain": "plain PyTorch loop"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    add_bundle_arguments(parser, images=512)


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """Measure trainer and plain loop, with the random transforms of the bundle, if it has some, and without.

    Args:
        args: options of :func:`add_arguments`.

    Returns:
        Two rows for each kind of augmentation; a method that learns from synthetic lesions has no other kind.

    Raises:
        InputError: if the bundle has no such config, or trains on kept features.
    """
    with tempfile.TemporaryDirectory() as folder:
        workflow = _workflow(args, Path(folder))
        if str(workflow.parser["train#dataset#_target_"]).endswith(".FeatureDataset"):
            raise InputError(
                "its training reads kept features, not images",
                where=args.bundle,
                expected="a bundle that trains on images",
                remedy="Use python -m medad.bench features.",
            )
        dims = int(workflow.parser.get_parsed_content("spatial_dims"))
        # two abnormal heads, for methods that learn from both classes
        counts = {"training": args.images, "training_abnormal": 2, "calibration": 2}
        write_phantoms(Path(folder) / "data", dims, args.image_size, args.seed, **counts)
        rows = []
        random = random_part(workflow.parser.get_parsed_content("train#preprocessing"))
        if random:
            rows += _measure(workflow, args, "as configured")
        if any(isinstance(step, RandSyntheticLesionsd) for step in random):
            return rows  # without them there is nothing to learn
        fixed = {"_target_": f"{__name__}.deterministic_part", "transform": "@train#preprocessing"}
        workflow = _workflow(args, Path(folder))
        workflow.parser["train#dataset#transform"] = fixed
        rows += _measure(workflow, args, "none")
    return rows


def deterministic_part(transform: Compose) -> Compose:
    """Cut the transforms of a training off before the first random one."""
    return Compose(transform.transforms[: len(transform.transforms) - len(random_part(transform))])


def random_part(transform: Compose) -> tuple[Transform, ...]:
    """Take the first random transform and all that follow."""
    steps = tuple(transform.transforms)
    first = next((number for number, step in enumerate(steps) if isinstance(step, Randomizable)), len(steps))
    return steps[first:]


class PyTorchLoop:
    """What a user without MONAI's engines would write, with a copy of the trainer's network and optimizer.

    Args:
        trainer: gives network, optimizer, loss and corruption.
        items: preprocessed images.
        transforms: random transforms of an item.
    """

    def __init__(
        self, trainer: SupervisedTrainer, items: list[dict[str, Tensor]], transforms: tuple[Transform, ...]
    ) -> None:
        # copied together, so that the copied optimizer holds the parameters of the copied network
        self.network, self.optimizer = copy.deepcopy((trainer.network, trainer.optimizer))
        self.trainer = trainer
        self.keys = list(items[0])
        settings: Any = trainer.data_loader
        options: dict[str, Any] = {
            name: getattr(settings, name) for name in ("batch_size", "num_workers", "drop_last", "pin_memory")
        }
        self.loader: TorchLoader[Any]
        if transforms:
            self.loader = DataLoader(Dataset(items, Compose(transforms)), shuffle=True, **options)
        else:
            columns = TensorDataset(*(torch.stack([item[key] for item in items]) for key in self.keys))
            self.loader = TorchLoader(columns, shuffle=True, **options)

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """Load one epoch."""
        for batch in self.loader:
            yield batch if isinstance(batch, dict) else dict(zip(self.keys, batch, strict=True))

    def step(self, batch: dict[str, Tensor]) -> None:
        """Train on one batch."""
        inputs, target, *extra = self.trainer.prepare_batch(batch, self.trainer.state.device, False)
        arguments, named = extra or ((), {})
        self.optimizer.zero_grad()
        prediction = self.trainer.inferer(inputs, self.network, *arguments, **named)
        loss = self.trainer.loss_function(prediction, target).mean()
        loss.backward()
        self.optimizer.step()


class _Alternation:
    """After every epoch of a trainer measure the plain loop, both loaders, and the network alone."""

    def __init__(self, loop: PyTorchLoop, device: torch.device) -> None:
        self.loop = loop
        self.rounds: list[dict[str, float]] = []
        self.device = device

    def attach(self, trainer: Engine) -> None:
        """Attach as the last handler, so that what the others do in an iteration counts for the trainer."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self.start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self.stop)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.measure_others)

    def start(self, trainer: Engine) -> None:
        """Start the clock of the trainer."""
        self.watch = Stopwatch(self.device)
        self.epoch = self.watch("trainer")
        self.epoch.__enter__()

    def stop(self, trainer: Engine) -> None:
        """Stop it after the last iteration of the epoch."""
        if trainer.state.iteration % trainer.state.epoch_length == 0:
            self.epoch.__exit__(None, None, None)

    def measure_others(self, trainer: SupervisedTrainer) -> None:
        """Do the same work without the trainer, and parts of it."""
        self.loop.network.train()
        with self.watch("plain"):
            for batch in self.loop.batches():
                self.loop.step(batch)
        with self.watch("plain loader"):
            count = sum(1 for _ in self.loop.batches())
        with self.watch("trainer loader"):
            loaded = sum(1 for _ in trainer.data_loader)
        with self.watch("network"):
            for _ in range(count):
                self.loop.step(batch)
        assert loaded == count == trainer.state.epoch_length
        self.rounds.append(self.watch.seconds)


def _workflow(args: argparse.Namespace, folder: Path) -> Any:
    epochs = args.repeats + 1
    paths = {"dataset_dir": folder / "data", "output_dir": folder / "log", "ckpt_dir": folder / "models"}
    run = {"max_epochs": epochs, "val_interval": epochs + 1, "amp": False, "seed": args.seed}
    return build(args.bundle, ["train", *args.config], **{**paths, **run, **settings(args.set)})


def _measure(workflow: Any, args: argparse.Namespace, augmentation: str) -> list[dict[str, object]]:
    parser = workflow.parser
    trainer: SupervisedTrainer = parser.get_parsed_content("train#trainer")
    transform: Compose = parser.get_parsed_content("train#dataset").transform
    fixed = deterministic_part(transform)
    items = [_tensors(fixed(item)) for item in parser.get_parsed_content("train#datalist")]
    alternation = _Alternation(PyTorchLoop(trainer, items, random_part(transform)), trainer.state.device)
    alternation.attach(trainer)
    trainer.run()
    rounds = alternation.rounds[1:]  # the first epoch warms up
    seconds = {part: median(each[part] for each in rounds) for part in rounds[0]}
    loader: Any = trainer.data_loader
    rows: list[dict[str, object]] = []
    for part, name in _NAMES.items():
        per_batch = {
            "batch_ms": seconds[part],
            "loader_ms": seconds[f"{part} loader"],
            "network_ms": seconds["network"],
            "other_ms": seconds[part] - seconds[f"{part} loader"] - seconds["network"],
        }
        rows.append(
            {
                "benchmark": "training",
                "bundle": args.bundle.resolve().name,
                "config": " ".join(args.config),
                "augmentation": augmentation,
                "implementation": name,
                "images": args.images,
                "batch_size": loader.batch_size,
                "image_size": "x".join(map(str, items[0]["image"].shape[1:])),
                "parameters": parameters(trainer.network),
                "images_per_second": round(args.images / seconds[part], 1),
                "relative": round(median(each["plain"] / each[part] for each in rounds), 3),
                **{key: round(1000 * value / len(loader), 3) for key, value in per_batch.items()},
                **machine(trainer.state.device),
            }
        )
    return rows


def _tensors(item: dict[str, Any]) -> dict[str, Tensor]:
    """Keep tensors and numbers of an item, without metadata."""
    numbers = {str(key): value for key, value in item.items() if isinstance(value, (Tensor, int))}
    return {key: torch.as_tensor(value).as_subclass(Tensor) for key, value in numbers.items()}
