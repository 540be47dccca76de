# SPDX-License-Identifier: Apache-2.0
"""End of a run: what is closed or let go then, whether it ends well or by an error."""

from collections.abc import Callable

from ignite.engine import Engine, Events


def at_the_end(engine: Engine, close: Callable[[Engine], None]) -> None:
    """Call something when a run is over, however it ends; an error goes on when all such calls are done.

    Ignite drops an error once a handler has seen it, and a handler that raises it again keeps it from the others.

    Args:
        engine: whose run it is.
        close: called with the engine.
    """
    engine.add_event_handler(Events.COMPLETED, close)
    if engine.has_event_handler(_raise, Events.EXCEPTION_RAISED):
        engine.remove_event_handler(_raise, Events.EXCEPTION_RAISED)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, error: close(engine))
    engine.add_event_handler(Events.EXCEPTION_RAISED, _raise)


def _raise(engine: Engine, error: BaseException) -> None:
    raise error
