# SPDX-License-Identifier: Apache-2.0
"""Training on frozen features: those of every image are computed once, and kept for the next training, too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from monai.data import Dataset as TransformedDataset
from monai.data import MetaTensor
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from ..errors import find_medad_error
from .feature_store import FeatureStore, image_key
from .items import CASE, IMAGE, Item
from .labeling import from_labeling

_logger = logging.getLogger(__name__)


class Features(Protocol):
    """What makes features: a frozen network that can tell itself from others."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Give features ``(B, F, *grid)`` of images ``(B, C, *spatial)``."""

    def key(self) -> str:
        """Hash of everything that makes the features of an image."""


class FeatureDataset(Dataset[dict[str, Tensor]]):
    """The features of images in the place of images.

    On disk each set of features has a folder of its own, named by :meth:`Features.key`, and in it each image a file
    named by what it is after preprocessing. So another backbone, another preprocessing or another image never meets
    features that are not its own, and nothing has to be invalidated. Several processes share the work where they share
    a folder.

    Args:
        data: items of a data list, or of a labeling application.
        transform: from an item to its ``image`` ``(C, *spatial)``; the same at every call.
        features: a frozen network.
        cache_dir: folder of the features; ``None`` keeps them in memory, for this run.
        batch_size: images that go through the network together.
        num_workers: processes that load images.
        device: where the network is.
        progress: show a progress bar.

    Shape:
        Items are ``{"image": float32 (F, *grid)}``, with the precision of ``float16``.

    Raises:
        InputError: if features are not finite.
        MedadError: if an image cannot be used: the error of the transform.
    """

    def __init__(
        self,
        data: Sequence[Item],
        transform: Callable[[Any], Any],
        features: Features,
        cache_dir: str | Path | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        device: torch.device | str = "cpu",
        progress: bool = True,
    ) -> None:
        self.data = from_labeling(data)
        self.transform = transform
        self.features = features
        self.store = FeatureStore(None if cache_dir is None else Path(cache_dir) / features.key()[:16])
        self.batch_size = batch_size
        self.device = torch.device(device)
        ranks = idist.get_world_size() if cache_dir is not None else 1
        mine = range(idist.get_rank() if ranks > 1 else 0, len(self.data), ranks)
        try:
            keys = self._compute_missing(mine, num_workers, progress and idist.get_rank() == 0)
        except Exception as error:
            known = find_medad_error(error)
            if known is None:
                raise
            raise known from None
        parts = idist.all_gather(keys) if ranks > 1 else [keys]
        self.store.clean()
        self.keys = [parts[index % ranks][index // ranks] for index in range(len(self.data))]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return the features of one image."""
        return {IMAGE: self.store.read(self.keys[index])}

    def _compute_missing(self, indices: range, num_workers: int, progress: bool) -> list[str]:
        """Compute what is not there, and name the features of all these images."""
        keys: list[str] = []
        waiting: dict[str, tuple[str, Tensor]] = {}
        computed = 0
        images = self._images(indices, num_workers)
        for index, image in tqdm(zip(indices, images, strict=True), "features", len(indices), disable=not progress):
            keys.append(image_key(image))
            if keys[-1] not in self.store:
                waiting[keys[-1]] = (str(self.data[index].get(CASE, index)), image)
            if len(waiting) == self.batch_size or (waiting and index == indices[-1]):
                computed += len(waiting)
                self._compute(waiting)
                waiting = {}
        where = self.store.folder or "memory"
        _logger.info("features: %d of %d found, %d computed; %s", len(keys) - computed, len(keys), computed, where)
        return keys

    def _images(self, indices: range, num_workers: int) -> Iterator[Tensor]:
        images = Subset(TransformedDataset(self.data, self.transform), indices)
        for item in DataLoader(images, batch_size=None, num_workers=num_workers):
            image = item[IMAGE]
            yield image.as_tensor() if isinstance(image, MetaTensor) else image

    def _compute(self, waiting: dict[str, tuple[str, Tensor]]) -> None:
        batch = torch.stack([image for _, image in waiting.values()]).to(self.device)
        with torch.no_grad():
            found = self.features(batch).cpu()
        for (key, (case, _)), features in zip(waiting.items(), found, strict=True):
            self.store.write(key, features, case)
