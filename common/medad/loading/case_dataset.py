# SPDX-License-Identifier: Apache-2.0
"""Data set of a cohort: a case that fails becomes a record, and the others go on."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from torch.utils.data import Dataset

from ..datalists.items import CASE, FAILURE, Item
from ..datalists.labeling import items_of_labeling
from ..errors import reason
from ..keys import Keys
from ..transforms import read_circles

logger = logging.getLogger(__name__)

FAILURES = "failures"
"""Entry of a batch: the failure records of the cases that are missing from it."""


class CaseDataset(Dataset[dict[str, Any]]):
    """A data set in which a bad case becomes a record instead of the end of the run.

    Args:
        data: items of a data list, or of a labeling application (:func:`~.labeling.items_of_labeling`).
        transform: applied to an item when it is asked for.
    """

    def __init__(self, data: Sequence[Item], transform: Callable[[Any], Any]) -> None:
        self.data = items_of_labeling(data)
        self.transform = transform

    def __len__(self) -> int:
        """Return the number of cases, failing ones included."""
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the transformed item, or ``{"case", "failure"}``; a ``MedadError``'s message is kept verbatim."""
        item = self.data[index]
        try:
            loaded = dict(self.transform(dict(item)))
            if item.get(Keys.CIRCLES):  # the report and the metrics read them, where a fault would end the run
                read_circles(item[Keys.CIRCLES], loaded[Keys.IMAGE].ndim - 1, str(item.get(CASE, index)))
            return loaded
        except Exception as error:  # a cohort run goes on, whatever happened to one case
            case = str(item.get(CASE, index))
            logger.debug("case %s failed", case, exc_info=True)
            return {CASE: case, FAILURE: reason(error)}
