# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import (
    RegularizedLoss,
)
from torch import nn


def test_regularized_loss_adds_what_it_says() -> None:
    x_hat, x, code, again = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(2, 3), torch.rand(2, 3)
    loss = RegularizedLoss(nn.MSELoss(), nn.MSELoss(), weight=0.25)((x_hat, code, again), x)
    torch.testing.assert_close(loss, (x_hat - x).square().mean() + 0.25 * (code - again).square().mean())
    with pytest.raises(ValueError, match="weight=-1"):
        RegularizedLoss(nn.MSELoss(), nn.MSELoss(), weight=-1)
