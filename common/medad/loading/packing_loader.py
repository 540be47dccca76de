# SPDX-License-Identifier: Apache-2.0
"""Loader whose batches arrive where the shared memory is full, too."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset

from ..explanations import is_full_disk
from .handed_over import Packed, PackInWorkers

_logger = logging.getLogger(__name__)

_NO_ROOM = "the shared memory (/dev/shm) is full; make it larger, such as by docker run --shm-size 8g"


class PackingLoader(DataLoader[Any]):
    """A ``DataLoader`` whose processes pack what they load, see :mod:`~medad.loading.handed_over`.

    Args:
        dataset: any data set with a length.
        batch_size: items per batch; ``None`` gives the items themselves.
        collate_fn: makes a batch of items, or changes an item where there are no batches.
        sampler: items to load, in this order; ``None`` loads all.
        num_workers: processes that load.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int | None,
        collate_fn: Callable[[Any], Any],
        sampler: Sequence[int] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            dataset,
            batch_size,
            sampler=sampler,
            num_workers=num_workers,
            collate_fn=PackInWorkers(collate_fn),
            pin_memory=False,  # batches come packed
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # ignite and MONAI take any iterator
        """Give the batches in order; where the system has no room for loading processes, this one loads them."""
        try:
            batches: Iterator[Any] = super().__iter__()
        except OSError as error:
            if not is_full_disk(error):
                raise
            _logger.warning("%s: images are loaded one after the other", _NO_ROOM)
            batches = iter(DataLoader(self.dataset, self.batch_size, sampler=self.sampler, collate_fn=self.collate_fn))
        told = False
        for batch in batches:
            if isinstance(batch, Packed):
                if batch.by_value and not told:
                    _logger.warning("%s: loading processes hand images over through a pipe, which is slower", _NO_ROOM)
                    told = True
                batch = batch.unpacked()
            yield batch
