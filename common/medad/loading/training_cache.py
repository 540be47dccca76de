# SPDX-License-Identifier: Apache-2.0
"""Cached training items as plain tensors: nothing in a training needs to know where its images come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monai.data import CacheDataset, MetaTensor, get_track_meta, set_track_meta


class TrainingCache(CacheDataset):
    """MONAI's ``CacheDataset``; its items, and what the random transforms make of them, carry no metadata.

    Every random transform would update affine and history of its image, and every batch collate them: more work than
    the augmentation itself. The values are the same. MONAI's switch for metadata is global, so the items are to be
    taken in one thread of a process, as data loaders do.
    """

    def _load_cache_item(self, idx: int) -> Any:
        return _plain(super()._load_cache_item(idx))

    def _transform(self, index: int) -> Any:
        if index % len(self) >= self.cache_num:  # not cached: the deterministic transforms run, and need the metadata
            return _plain(super()._transform(index))
        with _no_metadata():
            return super()._transform(index)


def _plain(item: Any) -> Any:
    """Drop the metadata of an item, or of each item where a transform made several."""
    if isinstance(item, list):
        return [_plain(each) for each in item]
    return {key: value.as_tensor() if isinstance(value, MetaTensor) else value for key, value in item.items()}


@contextmanager
def _no_metadata() -> Iterator[None]:
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)
