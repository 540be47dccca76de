# SPDX-License-Identifier: Apache-2.0


from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from medad.errors import InputError
from medad.handlers import ModelCheckpointLoader
from torch import nn


def _run(loader: ModelCheckpointLoader) -> list[float]:
    """Start a run and say which weight its first iteration meets."""
    met: list[float] = []
    engine = Engine(lambda engine, batch: met.append(float(loader.network.weight)))  # type: ignore[arg-type]
    engine.state.device = torch.device("cpu")
    loader.attach(engine)
    engine.run([0])
    return met


def test_weights_are_there_before_the_first_iteration(tmp_path: Path) -> None:
    network = nn.Linear(1, 1, bias=False)
    loader = ModelCheckpointLoader(tmp_path / "model.pt", network)
    torch.save({"weight": torch.tensor([[3.0]])}, tmp_path / "model.pt")  # the file may come later than the handler
    assert _run(loader) == [3.0]


def test_without_them_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights there"):
        _run(ModelCheckpointLoader(tmp_path / "model.pt", nn.Linear(1, 1)))
    torch.save({"weight": torch.ones(1, 1)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="weights do not fit"):
        _run(ModelCheckpointLoader(tmp_path / "model.pt", nn.Linear(1, 1)))


def test_a_federated_client_of_monai_knows_it_by_its_name() -> None:
    assert "CheckpointLoader" in ModelCheckpointLoader.__name__
