# SPDX-License-Identifier: Apache-2.0
"""Notes: what makes the results of a case less reliable than they look, in sentences that go along with it."""

import logging
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..keys import Keys

logger = logging.getLogger(__name__)


class Notes:
    """Add notes to cases; each is logged once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def add(self, data: Mapping[Hashable, Any], notes: Iterable[str | None]) -> dict[Hashable, Any]:
        """Give a case its notes, beside those that it has.

        Args:
            data: the case; its ``result``, if it has one, gets the notes, too.
            notes: sentences; ``None`` says nothing.

        Returns:
            The case with ``note``, an empty text where there is nothing to say.
        """
        said = [note for note in notes if note]
        for note in said:
            if note not in self._logged:
                logger.warning(note)
            self._logged.add(note)
        text = " ".join(filter(None, [data.get(Keys.NOTE), *said]))
        noted: dict[Hashable, Any] = {**data, Keys.NOTE.value: text}
        if Keys.RESULT in data:
            noted[Keys.RESULT.value] = {**data[Keys.RESULT], Keys.NOTE.value: text}
        return noted
