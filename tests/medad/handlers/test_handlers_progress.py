# SPDX-License-Identifier: Apache-2.0
import io
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from medad.handlers import ProgressBar
from torch.utils.data import DataLoader, Dataset


def _train(bar: ProgressBar, losses: list[float], epochs: int = 1, start: int = 0) -> Engine:
    rest = iter(losses)
    engine = Engine(lambda engine, batch: [{"loss": torch.tensor(next(rest))}])
    bar.attach(engine)
    engine.state.epoch = start
    engine.run([0] * (len(losses) // (epochs - start)), max_epochs=epochs)
    return engine


def test_one_bar_for_all_epochs() -> None:
    bar = ProgressBar("training")
    _train(bar, [1.0] * 6, epochs=3)
    assert bar.bar is not None
    assert (bar.bar.total, bar.bar.n, bar.bar.initial) == (6, 6, 0) and bar.bar.desc == "training"


def test_a_resumed_run_starts_where_it_was() -> None:
    bar = ProgressBar("training")
    engine = Engine(lambda engine, batch: None)
    engine.state.iteration, engine.state.epoch_length, engine.state.max_epochs = 4, 2, 3
    bar.start(engine)
    assert bar.bar is not None and (bar.bar.total, bar.bar.n) == (6, 4)
    bar.close(engine)


def test_the_loss_is_smoothed_over_every_tenth_iteration() -> None:
    bar = ProgressBar("training", "loss")
    _train(bar, [float(number) for number in range(1, 36)])  # iterations 10, 20 and 30 count
    assert bar.loss == pytest.approx(0.9 * (0.9 * 10 + 0.1 * 20) + 0.1 * 30)
    _train(bar, [5.0] * 10)
    assert bar.loss == 5.0  # another run begins anew


def test_an_error_closes_the_bar_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(engine: Engine, batch: Any) -> None:
        raise ArithmeticError("nan")

    bar, engine = ProgressBar("inference"), Engine(fail)
    bar.attach(engine)
    with pytest.raises(ArithmeticError, match="nan"):
        engine.run([0])
    assert bar.bar is not None and bar.bar.disable
    assert "inference" in capsys.readouterr().err


def test_other_ranks_are_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)  # ignite tells the end of an epoch
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    _train(ProgressBar("training"), [1.0])
    assert not capsys.readouterr().err


def test_what_is_logged_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    root, handler = logging.getLogger(), logging.StreamHandler(screen)
    monkeypatch.setattr(root, "handlers", [handler])
    bar, engine = ProgressBar("inference"), Engine(lambda engine, batch: None)
    bar.attach(engine)
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: logging.getLogger("medad").warning("few normal images")
    )
    engine.run([0, 0, 0])
    seen = [line.rpartition("\r")[2] for line in screen.getvalue().split("\n")]
    assert seen.count("few normal images") == 3
    assert root.handlers == [handler]


class _Warns(Dataset[int]):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> int:
        logging.getLogger("medad").warning("image %d is odd", index)
        return index


@pytest.mark.parametrize("terminal", [False, True])
def test_loading_processes_do_not_draw_the_bar(terminal: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "screen").open("a", buffering=1) as screen:
        monkeypatch.setattr(screen, "isatty", lambda: terminal, raising=False)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(screen)])
        bar, engine = ProgressBar("inference"), Engine(lambda engine, batch: None)
        bar.attach(engine)
        engine.run(DataLoader(_Warns(), num_workers=2, multiprocessing_context="fork"))
    shown = (tmp_path / "screen").read_bytes().decode()
    assert shown.count("inference:   0%") == 1  # as the bar was when the processes began
    assert sorted(re.findall("\r" + r"(?:\x1b\[K)?(image \d is odd)\n", shown)) == [
        f"image {n} is odd" for n in range(6)
    ]
    assert shown.count("\x1b[K") == 6 * terminal
