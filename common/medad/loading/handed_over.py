# SPDX-License-Identifier: Apache-2.0
"""Batches handed over from loading processes: through shared memory or, where that is full, through a pipe.

torch moves a batch to shared memory in a thread of its own. Where there is no room, the thread says so and the batch
never comes: the run waits for it for ever. Here the process that loads a batch packs it, and notices.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

from torch.utils.data import get_worker_info


@dataclass(frozen=True)
class Packed:
    """A batch on its way.

    Attributes:
        content: the batch; its tensors are references to shared memory, or themselves.
        by_value: whether they are themselves.
    """

    content: bytes
    by_value: bool

    def unpacked(self) -> Any:
        """Give the batch."""
        return pickle.loads(self.content)


class PackInWorkers:
    """Make batches, and pack them where a loading process does; a class, since it may travel to a new process.

    Args:
        collate: makes a batch of items, or changes an item where there are no batches.
    """

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate

    def __call__(self, items: Any) -> Any:
        """Make one batch."""
        batch = self.collate(items)
        return batch if get_worker_info() is None else _packed(batch)


def _packed(batch: Any) -> Packed:
    try:
        return Packed(bytes(ForkingPickler.dumps(batch)), by_value=False)
    except (RuntimeError, OSError):  # no room in the shared memory
        return Packed(pickle.dumps(batch), by_value=True)
