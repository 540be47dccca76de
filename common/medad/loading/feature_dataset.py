# SPDX-License-Identifier: Apache-2.0
"""Training on frozen features: those of every image are computed once, and kept for the next training."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_convert
from tqdm import tqdm

from ..checks import require_axes
from ..datalists.items import CASE, IMAGE, Item
from ..datalists.labeling import items_of_labeling
from ..errors import InputError
from .feature_store import FeatureStore, image_key
from .packing_loader import PackingLoader
from .plain_error_loader import ErrorsAsItems, raise_errors

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
        transform: from an item to its ``image`` ``(C, *spatial)``, or to a list of items with one each, such as the
            slices of a volume; the same at every call. It is not kept.
        features: a frozen network; it is not kept.
        spatial_dims: axes of the images that the network takes, 2 or 3.
        cache_dir: folder of the features, the same for all processes; ``None`` keeps them in memory, for this run.
        batch_size: images that go through the network together.
        num_workers: processes that load images.
        device: where the network is.
        progress: show a progress bar.

    Shape:
        Items are ``{"image": float32 (F, *grid)}``, with the precision of ``float16``.

    Raises:
        InputError: if images have other axes, features are not finite, or the folder cannot be used.
        MedadError: if an image cannot be used: the error of the transform.
    """

    def __init__(
        self,
        data: Sequence[Item],
        transform: Callable[[Any], Any],
        features: Features,
        spatial_dims: int,
        cache_dir: str | Path | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        device: torch.device | str = "cpu",
        progress: bool = True,
    ) -> None:
        self.features_key = features.key()
        self.store = FeatureStore(None if cache_dir is None else Path(cache_dir) / self.features_key[:16])
        items = items_of_labeling(data)
        ranks = idist.get_world_size() if cache_dir is not None else 1
        mine = range(idist.get_rank() if ranks > 1 else 0, len(items), ranks)
        images = _Images([items[index] for index in mine], transform, spatial_dims)
        loaded = raise_errors(PackingLoader(ErrorsAsItems(images), None, default_convert, num_workers=num_workers))
        shown = tqdm(loaded, "features", len(images), disable=not progress or idist.get_rank() > 0)
        keys = self._compute_missing(shown, features, batch_size, torch.device(device))
        parts = idist.all_gather(keys) if ranks > 1 else [keys]
        self.store.clean()
        self.keys = [key for index in range(len(items)) for key in parts[index % ranks][index // ranks]]
        self.store.require(self.keys)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return the features of one image."""
        return {IMAGE: self.store.read(self.keys[index])}

    def require_features(self, features: Features) -> None:
        """Refuse features of another network than those that are here.

        Args:
            features: the network that a training is about to use.

        Raises:
            InputError: if it got other weights since, say from the state of another training.
        """
        if features.key() != self.features_key:
            raise InputError(
                f"features {features.key()[:16]} are to be used",
                where="backbone",
                expected=f"features {self.features_key[:16]}, those that the training images have",
                remedy="Give the backbone that the training began with (backbone_weights), or begin a new training.",
            )

    def _compute_missing(
        self,
        items: Iterable[list[tuple[str, Tensor]]],
        features: Features,
        batch_size: int,
        device: torch.device,
    ) -> list[list[str]]:
        """Compute what is not there, and name the features of all images of these items."""
        keys: list[list[str]] = []
        waiting: dict[str, tuple[str, Tensor]] = {}
        computed = 0
        for images in items:
            keys.append([image_key(image) for _, image in images])
            for key, image in zip(keys[-1], images, strict=True):
                if key not in self.store:
                    waiting[key] = image
                if len(waiting) == batch_size:
                    computed += len(waiting)
                    self._compute(waiting, features, device)
                    waiting = {}
        self._compute(waiting, features, device)
        computed += len(waiting)
        names = [key for part in keys for key in part]
        where, size = self.store.folder or "memory", self.store.megabytes(set(names))
        found = len(names) - computed
        _logger.info("features: %d of %d found, %d computed; %.0f MB in %s", found, len(names), computed, size, where)
        return keys

    def _compute(self, waiting: dict[str, tuple[str, Tensor]], features: Features, device: torch.device) -> None:
        """Compute and keep the features of some images, those of one shape together."""
        shapes: defaultdict[torch.Size, list[str]] = defaultdict(list)
        for key, (_, image) in waiting.items():
            shapes[image.shape].append(key)
        for keys in shapes.values():
            with torch.no_grad():
                found = features(torch.stack([waiting[key][1] for key in keys]).to(device)).cpu()
            for key, values in zip(keys, found, strict=True):
                self.store.write(key, values, case=waiting[key][0])


class _Images(Dataset[list[tuple[str, Tensor]]]):
    """Case and image of every item, or of each slice where the transform made several of a volume."""

    def __init__(self, data: Sequence[Item], transform: Callable[[Any], Any], spatial_dims: int) -> None:
        self.data = data
        self.transform = transform
        self.spatial_dims = spatial_dims

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> list[tuple[str, Tensor]]:
        item = self.data[index]
        made = self.transform(dict(item))
        images = [part[IMAGE].as_subclass(Tensor) for part in (made if isinstance(made, list) else [made])]
        for image in images:
            require_axes(image[None], self.spatial_dims)
        return [(str(item.get(CASE, index)), image) for image in images]
