# SPDX-License-Identifier: Apache-2.0
"""Loader with plain errors: one that a user can act on comes out of a loading process as it is.

torch raises the error of a loading process again with the text of a traceback as its message, and an error that is made
from more than one text, such as :class:`~medad.errors.InputError`, as ``RuntimeError``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from monai.data import DataLoader, list_data_collate
from torch.utils.data import Dataset

from ..errors import MedadError, unwrap_errors


class PlainErrorLoader(DataLoader):
    """MONAI's ``DataLoader``, from whose processes a ``MedadError`` arrives as the data set raised it.

    Args:
        dataset: any data set with a length.
        num_workers: processes that load.
        collate_fn: makes a batch of items.
        kwargs: see ``monai.data.DataLoader``.

    Raises:
        MedadError: in an iteration, if the data set raises one.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        num_workers: int = 0,
        collate_fn: Callable[[Sequence[Any]], Any] = list_data_collate,
        **kwargs: Any,
    ) -> None:
        collate = _CollateUnlessError(collate_fn)
        super().__init__(ErrorsAsItems(dataset), num_workers, collate_fn=collate, **kwargs)

    def __iter__(self) -> Any:
        """Give the batches of an epoch."""
        return raise_errors(super().__iter__())


class ErrorsAsItems(Dataset[Any]):
    """A data set that gives a ``MedadError`` in the place of an item where another data set raises it.

    Args:
        dataset: any data set with a length.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Return an item, or why there is none; other errors are raised."""
        try:
            with unwrap_errors():
                return self.dataset[index]
        except MedadError as error:
            return error


def raise_errors(items: Iterable[Any]) -> Iterator[Any]:
    """Pass items on up to the first ``MedadError`` among them, which is raised."""
    try:
        for item in items:
            if isinstance(item, MedadError):
                raise item
            yield item
    finally:
        del items  # an error keeps this frame, which would keep the loading processes


class _CollateUnlessError:
    """A class and no closure, since it may travel to a process that is started anew."""

    def __init__(self, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: Sequence[Any]) -> Any:
        error = next((item for item in items if isinstance(item, MedadError)), None)
        return self.collate(items) if error is None else error
