# SPDX-License-Identifier: Apache-2.0
"""Torch data sets: for cohorts one that goes on when a case fails, for training one that decodes every file once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence, Sized
from typing import Any

from torch.utils.data import Dataset

from ..datalists.items import CASE, LABEL, Item, image_paths
from ..datalists.labeling import from_labeling
from ..datalists.marked_lesions import localized_items
from ..errors import InputError, reason, unwrap_errors
from ..formats.dicom_image import is_dicom_volume
from ..formats.file_types import is_dicom, is_nifti
from ..formats.npz_reference import is_npz_reference, is_npz_volume
from ..formats.paths import is_folder
from ..formats.raster import count_pages
from ..keys import ABNORMAL, NORMAL
from .training_cache import TrainingCache

logger = logging.getLogger(__name__)

FAILURE = "failure"
"""Entry of a failure record: why the case failed."""
FAILURES = "failures"
"""Entry of a batch: the failure records of the cases that are missing from it."""


class CaseDataset(Dataset[dict[str, Any]]):
    """A data set in which a bad case becomes a record instead of the end of the run.

    Args:
        data: items of a data list, or of a labeling application (:func:`~.labeling.from_labeling`).
        transform: applied to an item when it is asked for.
    """

    def __init__(self, data: Sequence[Item], transform: Callable[[Any], Any]) -> None:
        self.data = from_labeling(data)
        self.transform = transform

    def __len__(self) -> int:
        """Return the number of cases, failing ones included."""
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the transformed item, or ``{"case", "failure"}``; a ``MedadError``'s message is kept verbatim."""
        item = self.data[index]
        try:
            return dict(self.transform(dict(item)))
        except Exception as error:  # a cohort run goes on, whatever happened to one case
            case = str(item.get(CASE, index))
            logger.debug("case %s failed", case, exc_info=True)
            return {CASE: case, FAILURE: reason(error)}


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

    Args:
        data: items of a data list, or of a labeling application (:func:`~.labeling.from_labeling`).
        transform: deterministic transforms first, then random ones.
        cache_rate: fraction of the images to hold in memory.
        num_workers: threads that fill the cache.
        progress: show a progress bar.
        both_classes: whether the method learns from abnormal images, too; both classes must be there then.
        localized: whether it learns from their lesions, see :func:`~.localized.localized_items`.

    Returns:
        The data set.

    Raises:
        InputError: if one of two classes is missing.
        MedadError: if an image to be cached cannot be used: the error of the transform, without what MONAI wraps
            around it.
    """
    items = localized_items(data) if localized else from_labeling(data, both_classes)
    if both_classes:
        _require_both_classes(items)
    with unwrap_errors():
        return TrainingCache(
            items, transform, cache_rate=cache_rate, num_workers=max(num_workers, 1), progress=progress
        )


def last_batch_is_single(samples: Sized, batch_size: int) -> bool:
    """Say whether the last of several batches would hold one image, which batch normalization cannot train on.

    Args:
        samples: what the loader draws from, a data set or a sampler.
        batch_size: images per batch.

    Returns:
        Value for ``drop_last``: with it an epoch leaves one image out, another one each time.
    """
    return len(samples) > batch_size > 1 and len(samples) % batch_size == 1


def loader_batch_size(datalist: Sequence[Item], batch_size: int, spatial_dims: int) -> int:
    """Return 1 where a 2D network meets volumes, which differ in depth, else ``batch_size``.

    Only names and headers are looked at; every NIfTI file counts as a volume.

    Args:
        datalist: items of a data list.
        batch_size: wanted for images of one shape.
        spatial_dims: 2 or 3, that of the network.

    Returns:
        The batch size for the data loader.
    """
    if batch_size > 1 and spatial_dims == 2 and any(_is_volume(image_paths(item)[0]) for item in datalist):
        return 1
    return batch_size


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


def _is_volume(path: str) -> bool:
    if is_npz_reference(path):
        return is_npz_volume(path)
    if is_nifti(path):
        return True
    if is_folder(path) or is_dicom(path):
        try:
            return is_dicom_volume(path)
        except InputError:
            return False
    return count_pages(path) > 1
