# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from medad.losses import (
    UncertaintyLoss,
    split_uncertainty,
)
from torch import nn


def test_uncertainty_is_twice_the_gaussian_likelihood() -> None:
    outputs, image = torch.randn(2, 6, 5, 4), torch.randn(2, 3, 5, 4)
    reconstruction, log_variance = split_uncertainty(outputs)
    exact = 2 * nn.GaussianNLLLoss()(reconstruction, image, log_variance.exp())
    torch.testing.assert_close(UncertaintyLoss()(outputs, image), exact)


def test_the_best_log_variance_is_that_of_the_error() -> None:
    log_variance = torch.zeros(1, 1, 4, 4, requires_grad=True)
    error = 0.3 * torch.ones(1, 1, 4, 4)
    optimizer = torch.optim.LBFGS([log_variance], max_iter=50)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = UncertaintyLoss()(torch.cat([torch.zeros_like(error), log_variance], dim=1), error)
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(log_variance.detach(), (error**2).log(), atol=1e-3, rtol=0)


def test_a_perfect_background_does_not_drive_the_variance_to_nothing() -> None:
    outputs = torch.zeros(1, 2, 2, 2)
    outputs[:, 1] = -1e6
    assert float(split_uncertainty(outputs)[1].min()) == -10.0
    assert math.isfinite(float(UncertaintyLoss()(outputs, torch.ones(1, 1, 2, 2))))
    with pytest.raises(ValueError, match="3 channels"):
        split_uncertainty(torch.zeros(1, 3, 2, 2))
