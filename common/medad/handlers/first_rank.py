# SPDX-License-Identifier: Apache-2.0
"""First rank: what one process does for all of them ends the run on all of them if it cannot be done."""

from collections.abc import Callable

import ignite.distributed as idist

from ..errors import InputError


def on_first_rank(work: Callable[[], None]) -> None:
    """Do something on the first rank while the others wait.

    Args:
        work: done once.

    Raises:
        InputError: on every rank, if the work raises it.
    """
    refusal: InputError | None = None
    if idist.get_rank() == 0:
        try:
            work()
        except InputError as error:
            refusal = error
    for refused in idist.all_gather(refusal):
        if refused is not None:
            raise refused
