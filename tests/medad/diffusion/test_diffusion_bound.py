# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.diffusion import Schedule, add_noise, bound_weight, clean_from_noise, posterior_mean, posterior_variance
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor
from torch.distributions import Normal, kl_divergence

SCHEDULES = {
    kind: Schedule(DDPMScheduler(num_train_timesteps=1000, schedule=kind)) for kind in ("linear_beta", "cosine")
}
SHAPES = [(2, 1, 4, 5), (2, 3, 3, 4, 2)]
LEVELS = [1, 2, 3, 250, 800]


def _bound(schedule: Schedule, clean: Tensor, noise: Tensor, predicted: Tensor, level: int, variance: str) -> Tensor:
    """Term of the level by torch.distributions: of level 1 the log-likelihood, of others the divergence."""
    noisy = add_noise(schedule, clean, noise, level)
    mean = posterior_mean(schedule, clean_from_noise(schedule, noisy, predicted, level), noisy, level)
    scale = posterior_variance(schedule, 2 if level == 1 and variance == "fixed_small" else level, clean, variance)
    model = Normal(mean, scale.sqrt())
    if level == 1:
        return -model.log_prob(clean)
    truth = Normal(posterior_mean(schedule, clean, noisy, level), posterior_variance(schedule, level, clean).sqrt())
    return kl_divergence(truth, model)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize("level", LEVELS)
def test_weighted_error_is_the_bound_but_for_a_constant(
    kind: str, shape: tuple[int, ...], variance: str, level: int
) -> None:
    schedule = SCHEDULES[kind]
    clean, noise, predicted = torch.randn(3, *shape, dtype=torch.float64).unbind(0)
    constant = _bound(schedule, clean, noise, noise, level, variance)
    expected = _bound(schedule, clean, noise, predicted, level, variance) - constant
    found = bound_weight(schedule, level, clean, variance) * (noise - predicted).square()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(constant, constant.flatten()[0].expand(constant.shape), rtol=1e-6, atol=1e-8)
    if variance == "fixed_small" and level > 1:
        torch.testing.assert_close(constant, torch.zeros_like(constant), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (3, 2, 4, 4, 4)])
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_one_level_and_one_for_each_image_agree(shape: tuple[int, ...], variance: str) -> None:
    schedule, images = SCHEDULES["cosine"], torch.zeros(shape)
    each = bound_weight(schedule, torch.tensor([1, 2, 999]), images, variance)
    assert each.shape == (3, *(1,) * (len(shape) - 1)) and each.isfinite().all() and each.dtype == torch.float64
    assert each.flatten().tolist() == [float(bound_weight(schedule, level, images, variance)) for level in (1, 2, 999)]


def test_a_learned_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="learned"):
        bound_weight(SCHEDULES["cosine"], 3, torch.zeros(1, 1, 2, 2), "learned")
