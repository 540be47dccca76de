# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import ForegroundLoss
from torch import nn


@pytest.mark.parametrize("spatial", [(4, 5), (3, 4, 5)])
def test_equals_the_mean_over_foreground_voxels(spatial: tuple[int, ...]) -> None:
    prediction, image = torch.rand(2, 3, *spatial), torch.rand(2, 3, *spatial)
    foreground = (torch.rand(2, 1, *spatial) > 0.5).float()
    inside = foreground.expand_as(image) > 0
    expected = (prediction - image)[inside].double().square().mean()
    loss = ForegroundLoss(nn.MSELoss(reduction="none"))(prediction, (image, foreground))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_background_gets_no_gradient_and_no_foreground_is_zero() -> None:
    prediction = torch.rand(1, 1, 4, 4, requires_grad=True)
    foreground = torch.zeros(1, 1, 4, 4)
    foreground[..., 0] = 1
    loss = ForegroundLoss(nn.L1Loss(reduction="none"))
    loss(prediction, (torch.zeros(1, 1, 4, 4), foreground)).backward()
    assert prediction.grad is not None
    assert prediction.grad[..., 0].all() and not prediction.grad[..., 1:].any()
    assert loss(prediction, (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))) == 0


def test_a_reducing_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction"):
        ForegroundLoss(nn.MSELoss())
