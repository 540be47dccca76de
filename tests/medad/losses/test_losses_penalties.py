# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from medad.losses import (
    AttentionEntropy,
    KLDivergence,
    PerceptualLoss,
    RegularizedLoss,
    UncertaintyLoss,
    kl_to_standard_normal,
    relative_feature_difference,
    split_uncertainty,
)
from scipy.stats import entropy
from torch import nn
from torch.distributions import Normal, kl_divergence


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_divergence_against_torch_distributions(reduction: str) -> None:
    mean, log_variance = torch.randn(6, 5), torch.randn(6, 5)
    exact = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    exact = exact.sum(1) if reduction == "sum" else exact.mean(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance, reduction), exact)
    torch.testing.assert_close(KLDivergence(reduction)(mean, log_variance), exact.mean())


def test_the_two_reductions_differ_by_the_number_of_units() -> None:
    """A weight published for the mean over d units is d times too large for the sum."""
    mean, log_variance = torch.randn(4, 16), torch.randn(4, 16)
    ratio = kl_to_standard_normal(mean, log_variance, "sum") / kl_to_standard_normal(mean, log_variance, "mean")
    torch.testing.assert_close(ratio, torch.full((4,), 16.0))
    assert float(KLDivergence()(torch.zeros(2, 3), torch.zeros(2, 3))) == 0.0


def test_unknown_reductions_are_named() -> None:
    with pytest.raises(ValueError, match="'none'"):
        KLDivergence("none")
    with pytest.raises(ValueError, match="'max'"):
        kl_to_standard_normal(torch.zeros(1, 1), torch.zeros(1, 1), "max")


def test_entropy_against_scipy_and_at_its_ends() -> None:
    weights = torch.softmax(torch.randn(5, 7, dtype=torch.float64), dim=1)
    assert float(AttentionEntropy()(weights)) == pytest.approx(entropy(weights.numpy(), axis=1).mean())
    assert float(AttentionEntropy()(torch.full((2, 8), 1 / 8))) == pytest.approx(math.log(8))
    one = torch.eye(4, requires_grad=True)
    loss = AttentionEntropy()(one)
    loss.backward()
    assert float(loss) == 0.0
    assert one.grad is not None and one.grad.isfinite().all()


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


@pytest.mark.parametrize("grid", [(3, 4), (3, 4, 2)])
def test_features_are_compared_relative_to_the_image(grid: tuple[int, ...]) -> None:
    f, g = torch.randn(2, 8, *grid), torch.randn(2, 8, *grid)
    values = relative_feature_difference(f, g)
    assert values.shape == (2, 1, *grid)
    for i in range(2):
        exact = (f[i] - g[i]).abs().mean(0) / g[i].abs().mean()
        torch.testing.assert_close(values[i, 0], exact)
    torch.testing.assert_close(relative_feature_difference(7 * f, 7 * g), values)
    assert float(relative_feature_difference(g, g).max()) == 0.0
    assert relative_feature_difference(torch.zeros_like(g), torch.zeros_like(g)).isfinite().all()
    torch.testing.assert_close(PerceptualLoss()((torch.zeros(1), f, g), torch.zeros(1)), values.mean())


def test_the_magnitude_of_the_image_is_no_path_for_gradients() -> None:
    f, g = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(relative_feature_difference(f, g).sum(), g)
    exact = (g - f).sign() / 4 / g.abs().mean()
    torch.testing.assert_close(gradient, exact.detach())


def test_regularized_loss_adds_what_it_says() -> None:
    x_hat, x, code, again = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(2, 3), torch.rand(2, 3)
    loss = RegularizedLoss(nn.MSELoss(), nn.MSELoss(), weight=0.25)((x_hat, code, again), x)
    torch.testing.assert_close(loss, (x_hat - x).square().mean() + 0.25 * (code - again).square().mean())
    with pytest.raises(ValueError, match="weight=-1"):
        RegularizedLoss(nn.MSELoss(), nn.MSELoss(), weight=-1)
