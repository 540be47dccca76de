# SPDX-License-Identifier: Apache-2.0


from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from medad.handlers import ModelSaver
from torch import nn


def _train(path: Path, to: float, fails: bool = False) -> None:
    network = nn.Linear(1, 1, bias=False)

    def step(engine: Engine, batch: float) -> None:
        nn.init.constant_(network.weight, batch)
        if fails:
            raise ArithmeticError

    engine = Engine(step)
    ModelSaver(path, network).attach(engine)
    engine.run([to / 2, to])


def _weight(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["weight"])


def test_the_last_weights_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "models" / "model.pt"
    _train(path, 2.0)
    assert _weight(path) == 2.0
    _train(path, 4.0)
    assert _weight(path) == 4.0 and [file.name for file in path.parent.iterdir()] == ["model.pt"]


def test_a_training_that_fails_leaves_earlier_weights(tmp_path: Path) -> None:
    _train(tmp_path / "model.pt", 2.0)
    with pytest.raises(ArithmeticError):
        _train(tmp_path / "model.pt", 4.0, fails=True)
    assert _weight(tmp_path / "model.pt") == 2.0


def test_the_first_rank_writes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    _train(tmp_path / "model.pt", 2.0)
    assert not list(tmp_path.iterdir())
