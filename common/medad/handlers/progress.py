# SPDX-License-Identifier: Apache-2.0
"""Progress bar, one for a whole run."""

import os
from contextlib import ExitStack
from typing import TextIO

import ignite.distributed as idist
from ignite.engine import Engine, Events
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .run_end import at_the_end


class ProgressBar:
    """Show iterations done, time left and, in training, the smoothed loss.

    Ignite's bar starts anew with every epoch, which hides how long a run of many short epochs still takes. What is
    logged while the bar stands has lines of its own above it.

    Args:
        description: what is going on.
        loss_key: entry with the loss of what the trainer gives on, or ``None``.
    """

    def __init__(self, description: str, loss_key: str | None = None) -> None:
        self.description = description
        self.loss_key = loss_key
        self.loss: float | None = None
        self.bar: tqdm[object] | None = None
        self.open = ExitStack()

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        at_the_end(engine, self.close)

    def start(self, engine: Engine) -> None:
        """Open the bar where the run starts or resumes."""
        total = (engine.state.epoch_length or 0) * (engine.state.max_epochs or 1)
        self.loss = None
        shown = idist.get_rank() == 0
        if shown:
            self.open.enter_context(logging_redirect_tqdm(tqdm_class=_LinesAboveBars()))
        self.bar = tqdm(
            desc=self.description,
            total=total or None,
            initial=engine.state.iteration,
            disable=not shown,
            dynamic_ncols=True,
            mininterval=0.5,
        )

    def step(self, engine: Engine) -> None:
        """Advance; the loss is read every 10th iteration only, since reading it waits for the device."""
        if self.bar is None:
            return
        self.bar.update()
        if self.loss_key is not None and engine.state.iteration % 10 == 0:
            value = engine.state.output[0][self.loss_key].item()
            self.loss = value if self.loss is None else 0.9 * self.loss + 0.1 * value
            self.bar.set_postfix(loss=f"{self.loss:.4g}")

    def close(self, engine: Engine) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
        self.open.close()


class _LinesAboveBars:
    """Writes lines above the bars of this process, and plain ones in its forks, such as processes that load images.

    A fork has a copy of the bar, as old as itself, which it must not draw again, and of a lock that nobody may release.
    """

    def __init__(self) -> None:
        self.process = os.getpid()

    def write(self, line: str, file: TextIO) -> None:
        """Write a line."""
        if os.getpid() == self.process:
            tqdm.write(line, file)
        else:
            file.write(("\r\x1b[K" if file.isatty() else "\r") + line + "\n")  # the bar may stand there
