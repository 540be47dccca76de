# SPDX-License-Identifier: Apache-2.0
"""What is saved and loaded does not show how many processes there were."""

from collections.abc import Iterator
from pathlib import Path

import ignite.distributed as idist
import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from medad.handlers import TrainingState, WeightAverage
from medad.networks import load_weights, unwrap_network
from torch import nn


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[nn.parallel.DistributedDataParallel]:
    """A layer wrapped for several processes, in a group of one."""
    monkeypatch.setenv("LOCAL_RANK", "0")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    assert idist.get_world_size() == 1  # ignite takes the group for its own, and gives it back at the end
    yield nn.parallel.DistributedDataParallel(nn.Linear(2, 3))
    idist.finalize()
    assert not dist.is_initialized()


def test_a_network_comes_out_of_its_wrapper(wrapped: nn.parallel.DistributedDataParallel) -> None:
    assert unwrap_network(wrapped) is wrapped.module
    assert unwrap_network(wrapped.module) is wrapped.module


def test_training_states_and_weights_fit_both(wrapped: nn.parallel.DistributedDataParallel, tmp_path: Path) -> None:
    alone = nn.Linear(2, 3)
    for saved, resumed in ((wrapped, alone), (alone, wrapped)):
        with torch.no_grad():
            unwrap_network(saved).weight.normal_()
        engine = Engine(lambda *_: None)
        engine.state.epoch, engine.state.epoch_length, engine.state.device = 1, 1, "cpu"
        TrainingState(tmp_path / "state.pt", {"network": saved}, seed=0).save(engine)
        TrainingState(tmp_path / "state.pt", {"network": resumed}, seed=0, resume=True).load(engine)
        assert torch.equal(unwrap_network(saved).weight, unwrap_network(resumed).weight)
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "model.pt")
    load_weights(wrapped, tmp_path / "model.pt")
    load_weights(alone, tmp_path / "model.pt")
    assert torch.equal(wrapped.module.weight, alone.weight)
    assert WeightAverage(wrapped, alone).network is wrapped.module
