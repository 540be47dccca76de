# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

import pytest
from ignite.engine import Engine, Events
from medad.handlers import ValidationLog
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def _validate(folder: Path, scores: dict[int, float]) -> None:
    engine = Engine(lambda engine, batch: None)
    rest = iter(scores.values())

    @engine.on(Events.EPOCH_COMPLETED)
    def _measure(engine: Engine) -> None:
        engine.state.metrics["mean_score"] = next(rest)

    ValidationLog(folder).attach(engine)
    for epoch in scores:
        engine.state.epoch, engine.state.max_epochs = epoch - 1, epoch
        engine.run([0, 0], max_epochs=epoch)


def test_metrics_are_logged_by_the_epoch_of_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    console = ValidationLog(tmp_path / "unused").handlers[0].logger
    console.addHandler(caplog.handler)  # MONAI's logger hands nothing on
    _validate(tmp_path, {5: 0.25, 10: 0.125})
    console.removeHandler(caplog.handler)
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert [(event.step, event.value) for event in log.Scalars("mean_score")] == [(5, 0.25), (10, 0.125)]
    lines = [record.getMessage().split() for record in caplog.records if record.name == console.name]
    assert lines == [
        ["Epoch[5]", "Metrics", "--", "mean_score:", "0.2500"],
        ["Epoch[10]", "Metrics", "--", "mean_score:", "0.1250"],
    ]


def test_other_ranks_are_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    _validate(tmp_path, {1: 0.5})
    assert not list(tmp_path.iterdir())
