# SPDX-License-Identifier: Apache-2.0

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from medad.engines import AnomalyTrainer
from medad.errors import InputError
from medad.handlers import TrainingRun
from medad.loading import CaseDataset, CaseLoader
from monai.engines import SupervisedEvaluator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader


def _cases(fails: bool = False) -> CaseLoader:
    def load(item: dict[str, Any]) -> dict[str, Any]:
        if fails:
            raise InputError("torn", where="a.png", expected="an image", remedy="Copy it again.")
        return {**item, "image": torch.zeros(1, 2, 2)}

    return CaseLoader(CaseDataset([{"case": "a", "image": "a.png"}], load), 1, 2)


class _Training:
    """A training of four iterations an epoch, with what its handler leaves in a folder."""

    def __init__(self, folder: Path, epochs: int, cases: CaseLoader | None = None, **options: Any) -> None:
        torch.manual_seed(0)
        network = nn.Conv2d(1, 1, 1)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        items = [{"image": torch.rand(1, 4, 4), "label": torch.rand(1, 4, 4)} for _ in range(4)]
        validator = SupervisedEvaluator(torch.device("cpu"), DataLoader(items[:1]), network, decollate=False)
        self.validated: list[int] = []
        validator.add_event_handler(Events.COMPLETED, lambda engine: self.validated.append(engine.state.epoch))
        run = TrainingRun(
            folder / "log",
            folder / "training_state.pt",
            {"network": network, "optimizer": optimizer},
            folder / "model.pt",
            network,
            options.pop("validator", validator),
            cases or _cases(),
            interval=2,
            seed=0,
            **options,
        )
        self.network = network
        self.trainer = AnomalyTrainer(
            device=torch.device("cpu"),
            max_epochs=epochs,
            train_data_loader=DataLoader(items),
            network=network,
            optimizer=optimizer,
            loss_function=nn.MSELoss(),
            decollate=False,
            train_handlers=[run],
        )
        self.trainer.run()


def test_a_training_validates_logs_and_keeps_its_weights(tmp_path: Path) -> None:
    training = _Training(tmp_path, 5)
    assert training.validated == [2, 4]
    saved = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.equal(saved[name], value) for name, value in training.network.state_dict().items())
    assert torch.load(tmp_path / "training_state.pt", weights_only=True)["epoch"] == 5
    log = EventAccumulator(str(tmp_path / "log"))
    log.Reload()
    assert [event.step for event in log.Scalars("train_loss")] == [10, 20]


def test_a_stopped_training_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole = _Training(tmp_path / "whole", 4)
    _Training(tmp_path / "parts", 2)
    resumed = _Training(tmp_path / "parts", 4, resume=True)
    assert resumed.validated == [4] and torch.equal(resumed.network.weight, whole.network.weight)
    again = _Training(tmp_path / "parts", 4, resume=False)
    assert again.validated == [2, 4]


def test_images_that_cannot_be_used_end_it_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="torn"):
        _Training(tmp_path, 1, _cases(fails=True))
    assert not (tmp_path / "model.pt").exists() and not (tmp_path / "training_state.pt").exists()


def test_without_a_validation(tmp_path: Path) -> None:
    assert _Training(tmp_path, 2, validator=None).validated == [] and (tmp_path / "model.pt").exists()


def test_other_ranks_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    run = TrainingRun(tmp_path, tmp_path / "s.pt", {}, tmp_path / "m.pt", nn.ReLU(), None, _cases(), 1, 0)
    engine = Engine(lambda engine, batch: [{"loss": torch.ones(())}])
    run.attach(engine)
    engine.run([0])
    assert not list(tmp_path.iterdir())
