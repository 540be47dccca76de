# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from ignite.engine import Events
from medad.handlers import GradientClip
from monai.engines import SupervisedTrainer
from torch import nn


def _scale_losses(trainer: SupervisedTrainer, scale: float) -> None:
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)


def _train(max_norm: float | None, scale: float | None = None) -> tuple[torch.Tensor, float]:
    """One step of SGD with a large gradient; returns the step and the norm it was made of."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    before = torch.cat([p.detach().clone().flatten() for p in network.parameters()])
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": 50 * torch.ones(2, 3), "label": torch.zeros(2, 1)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=nn.MSELoss(),
        decollate=False,
        train_handlers=[] if max_norm is None else [GradientClip(max_norm)],
    )
    if scale is not None:  # as in mixed precision, on the CPU: MONAI makes its own scaler, for CUDA, when a run starts
        trainer.amp = True
        trainer.add_event_handler(Events.STARTED, _scale_losses, scale)
    trainer.run()
    step = before - torch.cat([p.detach().flatten() for p in network.parameters()])
    return step, float(step.norm())


def test_a_long_gradient_is_cut_to_the_limit_and_keeps_its_direction() -> None:
    plain, norm = _train(None)
    assert norm > 10
    clipped, shorter = _train(2.0)
    assert shorter == pytest.approx(2.0, rel=1e-3)
    torch.testing.assert_close(clipped / shorter, plain / norm, rtol=1e-3, atol=1e-5)


def test_a_short_gradient_is_left_alone() -> None:
    torch.testing.assert_close(_train(1e6)[0], _train(None)[0])


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_the_limit_does_not_depend_on_the_scale_of_mixed_precision(scale: float) -> None:
    torch.testing.assert_close(_train(2.0, scale)[0], _train(2.0)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_none_is_refused(max_norm: Any) -> None:
    with pytest.raises(ValueError, match="max_norm"):
        GradientClip(max_norm)
