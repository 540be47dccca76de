# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.errors import InputError
from medad.handlers import TrainingState
from monai.transforms import RandShiftIntensity
from torch import nn


def _train(folder: Path, epochs: int, resume: bool = False, seed: int = 3) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    network, drawn = nn.Linear(2, 1), []
    optimizer = torch.optim.Adam(network.parameters())

    def step(engine: Engine, batch: Any) -> None:
        drawn.append(float(torch.rand(())))
        optimizer.zero_grad()
        network(torch.randn(4, 2)).square().mean().backward()
        optimizer.step()

    engine = Engine(step)
    engine.state.device = torch.device("cpu")
    state = TrainingState(folder / "state.pt", {"network": network, "optimizer": optimizer}, seed=seed, resume=resume)
    state.attach(engine)
    engine.run([0, 1, 2], max_epochs=epochs)
    return network, drawn


def test_a_resumed_run_draws_and_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    network, drawn = _train(tmp_path / "a", 4)
    _train(tmp_path / "b", 2)
    resumed, rest = _train(tmp_path / "b", 4, resume=True)
    assert rest == drawn[6:]
    assert torch.equal(network.weight, resumed.weight)
    assert _train(tmp_path / "c", 1, seed=4)[1] != drawn[:3]


def test_every_rank_draws_its_own_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    for name, rank in (("first", 0), ("second", 1), ("again", 1)):
        monkeypatch.setattr("ignite.distributed.get_rank", lambda rank=rank: rank)
        drawn[name] = _train(tmp_path / name, 2)[1]
    assert drawn["second"] == drawn["again"]
    assert len({*drawn["first"], *drawn["second"]}) == 12  # 2 ranks, 2 epochs, 3 steps


def test_augmentation_follows_the_seed_of_the_epoch(tmp_path: Path) -> None:
    shift = RandShiftIntensity(1.0, prob=1.0)
    state = TrainingState(tmp_path / "state.pt", {}, seed=3, transform=shift)
    engine = Engine(lambda engine, batch: None)

    def drawn(epoch: int) -> float:
        engine.state.epoch = epoch
        state.seed_epoch(engine)
        return float(shift(torch.zeros(1)))

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    _train(tmp_path, 1)
    state = TrainingState(tmp_path / "state.pt", {"network": nn.Linear(5, 5)}, seed=0, resume=True)
    engine = Engine(lambda engine, batch: None)
    engine.state.device = torch.device("cpu")
    with pytest.raises(InputError, match="does not fit"):
        state.load(engine)
