# SPDX-License-Identifier: Apache-2.0
"""Training data in memory: every file is decoded once, and items are tensors without metadata."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from monai.data import CacheDataset, get_track_meta, set_track_meta
from monai.transforms import Compose
from torch import Tensor
from tqdm import tqdm

from ..datalists.items import LABEL, Item
from ..datalists.labeling import items_of_labeling
from ..datalists.marked_lesions import items_with_marked_lesions
from ..errors import InputError, unwrap_errors
from ..keys import ABNORMAL, NORMAL
from ..transforms import ExpectedImaged, SlicesOfVolume
from .batch_size import is_volume
from .joined_threads import joined_threads

_logger = logging.getLogger(__name__)


class TrainingCache(CacheDataset):
    """MONAI's ``CacheDataset``; its items, and what the random transforms make of them, carry no metadata.

    Every random transform would update affine and history of its image, and every batch collate them: more work than
    the augmentation itself. The values are the same. The threads that fill it have ended when it is full, or cannot be
    filled. MONAI's switch for metadata is global, so the items are to be taken in one thread of a process, as data
    loaders do.
    """

    def _fill_cache(self, indices: Sequence[int] | None = None) -> list[Any]:
        if indices is None:
            indices = range(self.cache_num)
        with joined_threads(self.num_workers or 1) as pool:
            items = pool.imap(self._load_cache_item, indices)
            return list(tqdm(items, "training images", len(indices), disable=not self.progress or not indices))

    def _load_cache_item(self, idx: int) -> Any:
        return _without_metadata(super()._load_cache_item(idx))

    def _transform(self, index: int) -> Any:
        if index % len(self) >= self.cache_num:  # not cached: the deterministic transforms run, and need the metadata
            return _without_metadata(super()._transform(index))
        with _metadata_off():
            return super()._transform(index)


def training_dataset(
    data: Sequence[Item],
    transform: Callable[[Any], Any] | Sequence[Callable[[Any], Any]],
    cache_rate: float = 1.0,
    num_workers: int = 2,
    progress: bool = True,
    both_classes: bool = False,
    localized: bool = False,
) -> TrainingCache:
    """Decode and preprocess every training image once, up to the first random transform; the items are plain tensors.

    Where the transforms turn volumes into slices, the slices are the images, and all of them are held in memory.

    Args:
        data: items of a data list, or of a labeling application (:func:`~.labeling.items_of_labeling`).
        transform: deterministic transforms first, then random ones; among them there may be
            :class:`medad.transforms.SlicesOfVolume` and :class:`medad.transforms.ExpectedImaged`, which is fitted.
        cache_rate: fraction of the images to hold in memory.
        num_workers: threads that fill the cache.
        progress: show a progress bar.
        both_classes: whether the method learns from abnormal images, too; both classes must be there then.
        localized: whether it learns from their lesions, see :func:`medad.datalists.items_with_marked_lesions`.

    Returns:
        The data set.

    Raises:
        InputError: if one of two classes is missing, or no volume has a slice to learn from.
        MedadError: if an image to be cached cannot be used: the error of the transform, without what MONAI wraps
            around it.
    """
    items = items_with_marked_lesions(data) if localized else items_of_labeling(data, both_classes)
    if both_classes:
        _require_both_classes(items)
    threads = max(num_workers, 1)
    with unwrap_errors():
        if any(is_volume(item) for item in items):
            items, transform = _sliced(items, Compose(transform).flatten(), threads, progress)
        images, transform = _fitted(items, Compose(transform).flatten(), threads, progress)
        return TrainingCache(images, transform, cache_rate=cache_rate, num_workers=threads, progress=progress)


def _sliced(
    items: Sequence[Item], transform: Compose, threads: int, progress: bool
) -> tuple[list[Item], Callable[[Any], Any]]:
    """Take volumes apart, if the transforms do; then what is left to do with each slice."""
    steps = transform.transforms
    last = next((number for number, step in enumerate(steps) if isinstance(step, SlicesOfVolume)), None)
    if last is None or steps[last].spatial_dims == 3:
        return list(items), transform
    with joined_threads(threads) as pool:
        parts = pool.imap(Compose(steps[: last + 1]), map(dict, items))
        slices = [
            _without_metadata(each)
            for part in tqdm(parts, "slices of volumes", len(items), disable=not progress)
            for each in (part if isinstance(part, list) else [part])
        ]
    if not slices:
        raise InputError(
            f"none of the slices of {len(items)} volumes shows an object",
            where="training data",
            expected="volumes with an object on a darker background",
            remedy="Look at the volumes; check foreground_threshold and slice_min_foreground.",
        )
    _logger.info("training: %d slices of %d images and volumes", len(slices), len(items))
    return slices, Compose(steps[last + 1 :])


def _fitted(
    items: Sequence[Any], transform: Compose, threads: int, progress: bool
) -> tuple[Sequence[Any], Callable[[Any], Any]]:
    """Fit the transform that has to see all images before it can say something about one.

    Returns:
        The images as that transform takes them, and the transforms from it on; what was given, if there is none.
    """
    steps = transform.transforms
    place = next((number for number, step in enumerate(steps) if isinstance(step, ExpectedImaged)), None)
    if place is None:
        return items, transform
    cache = TrainingCache(items, Compose(steps[:place]), num_workers=threads, copy_cache=False, progress=progress)
    images = [cache[number] for number in range(len(cache))]
    steps[place].fit(images)
    return images, Compose(steps[place:])


def _require_both_classes(items: Sequence[Item]) -> None:
    counts = Counter(item.get(LABEL) for item in items)
    if not (counts[NORMAL] and counts[ABNORMAL]):
        raise InputError(
            f"{counts[NORMAL]} normal and {counts[ABNORMAL]} abnormal images found",
            where="training data",
            expected="images of both classes, with the label 0 (normal) or 1 (abnormal)",
            remedy="Add abnormal images to training_abnormal (marked ones, in a labeling application), or choose a "
            "method that learns from normal images alone.",
        )


def _without_metadata(item: Any) -> Any:
    """Drop the metadata of an item, or of each item where a transform made several."""
    if isinstance(item, list):
        return [_without_metadata(each) for each in item]
    return {key: value.as_subclass(Tensor) if isinstance(value, Tensor) else value for key, value in item.items()}


@contextmanager
def _metadata_off() -> Iterator[None]:
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)
