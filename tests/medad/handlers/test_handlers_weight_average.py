# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from ignite.engine import Engine
from medad.handlers import WeightAverage
from torch import nn


def test_weight_average_equals_the_recursion() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    averaged = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = WeightAverage(network, averaged, momentum=0.2)
    expected = averaged[0].weight.detach().double()
    engine = Engine(lambda engine, batch: None)
    for iteration in range(1, 60):
        with torch.no_grad():
            network[0].weight.normal_()
            network[1].running_mean.normal_()
        engine.state.iteration = iteration
        average(engine)
        momentum = max(0.2, 9 / (10 + iteration))
        expected = (1 - momentum) * expected + momentum * network[0].weight.detach().double()
    torch.testing.assert_close(averaged[0].weight.double(), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(averaged[1].running_mean, network[1].running_mean)
    assert not averaged[0].weight.requires_grad
    with pytest.raises(ValueError, match="momentum"):
        WeightAverage(network, averaged, momentum=0)
