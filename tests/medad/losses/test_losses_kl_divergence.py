# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import (
    KLDivergence,
    kl_to_standard_normal,
)
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
