# SPDX-License-Identifier: Apache-2.0
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.inferers import GradientInferer
from medad.inferers.gradient import TERMS
from medad.networks import Autoencoder, VariationalAutoencoder
from torch import nn

SMALL: dict[str, Any] = {"image_size": (16, 16), "channels": (4, 8), "latent_size": 3, "hidden_size": 16}


class Linear(nn.Module):
    """Everything is linear, so that every gradient has a closed form."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(2, pixels))
        self.back = nn.Parameter(torch.randn(pixels, 2) / 4)
        self.log_variance = nn.Parameter(torch.randn(2))

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = x.flatten(1) @ self.code.T
        return mean, self.log_variance.expand_as(mean)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        return (code @ self.back.T).view(len(code), 1, 4, -1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.posterior(x)[0])


@pytest.mark.parametrize("term", TERMS)
def test_closed_form(term: str) -> None:
    network, x = Linear(20), torch.randn(3, 1, 4, 5)
    flat = x.flatten(1).double()
    code, back = network.code.detach().double(), network.back.detach().double()
    residual = flat - flat @ code.T @ back.T
    reconstruction = 2 * residual @ (torch.eye(20, dtype=torch.float64) - back @ code)
    divergence = 20 * (flat @ code.T) @ code / 2  # N * mean over the 2 units of m dm/dx
    exact = {
        "reconstruction": reconstruction.abs(),
        "kl": divergence.abs(),
        "elbo": (reconstruction + 0.3 * divergence).abs(),
        "combined": residual.square() * divergence.abs(),
    }[term]
    out = GradientInferer(2, term, beta=0.3)(x, network)
    assert out.shape == (3, 2, 4, 5) and not out.requires_grad
    torch.testing.assert_close(out[:, 0].flatten(1).double(), exact, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out[:, 1:], network(x).detach())


def test_the_sum_over_units_is_d_times_the_mean() -> None:
    network, x = Linear(16), torch.randn(1, 1, 4, 4)
    mean, total = (GradientInferer(2, "kl", kl_reduction=how)(x, network)[:, 0] for how in ("mean", "sum"))
    torch.testing.assert_close(total, 2 * mean)


@pytest.mark.parametrize("term", TERMS)
def test_a_network_against_finite_differences(term: str) -> None:
    network = VariationalAutoencoder(2, 1, 1, **SMALL).eval()
    x = torch.rand(1, 1, 16, 16)
    ours = GradientInferer(2, term, beta=0.5)(x, network)[0, 0]
    double = VariationalAutoencoder(2, 1, 1, **SMALL).double().eval()
    double.load_state_dict(network.state_dict())

    def parts(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_variance = double.posterior(image)
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).mean() * 256
        return (image - double.decode(mean)).square().sum(), divergence

    residual = (x.double() - double(x.double())).square()[0, 0]
    for place in [(0, 0), (7, 9), (15, 4)]:
        step = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
        step[0, 0, place[0], place[1]] = 1e-6
        with torch.no_grad():
            (r1, k1), (r0, k0) = parts(x.double() + step), parts(x.double() - step)
        slope = {"reconstruction": r1 - r0, "elbo": r1 - r0 + 0.5 * (k1 - k0)}.get(term, k1 - k0) / 2e-6
        exact = slope.abs() * (residual[place] if term == "combined" else 1.0)
        assert float(ours[place]) == pytest.approx(float(exact), rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("surroundings", [nullcontext, torch.no_grad, torch.inference_mode])
def test_works_wherever_an_evaluator_calls_it(surroundings: Any) -> None:
    network = Autoencoder(2, 1, 1, **SMALL).eval()
    x = torch.rand(3, 1, 16, 16)
    expected = GradientInferer(2)(x, network)
    with surroundings():
        torch.testing.assert_close(GradientInferer(2)(x, network), expected)
        alone = GradientInferer(2)(x[1:2], network)
    torch.testing.assert_close(alone, expected[1:2], rtol=1e-4, atol=1e-6)
    assert all(p.grad is None for p in network.parameters())


def test_mixed_precision_does_not_reach_the_gradient() -> None:
    network, x = Autoencoder(2, 1, 1, **SMALL).eval(), torch.rand(2, 1, 16, 16)
    expected = GradientInferer(2)(x, network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(GradientInferer(2)(x, network), expected)


def test_a_scripted_network_gives_the_same_gradients() -> None:
    network, x = VariationalAutoencoder(2, 1, 1, **SMALL).eval(), torch.rand(2, 1, 16, 16)
    for term in TERMS:
        inferer = GradientInferer(2, term)
        torch.testing.assert_close(inferer(x, torch.jit.script(network)), inferer(x, network), rtol=1e-4, atol=1e-6)


def test_a_volume_equals_its_slices() -> None:
    network = VariationalAutoencoder(2, 1, 1, **SMALL).eval()
    volume = torch.rand(1, 1, 16, 16, 3)
    inferer = GradientInferer(2, "elbo")
    slices = torch.stack([inferer(volume[..., z], network) for z in range(3)], dim=-1)
    torch.testing.assert_close(inferer(volume, network), slices, rtol=1e-4, atol=1e-6)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="term='l2'"):
        GradientInferer(2, "l2")
    with pytest.raises(InputError, match="no Gaussian code"):
        GradientInferer(2, "kl")(torch.rand(1, 1, 16, 16), Autoencoder(2, 1, 1, **SMALL).eval())
