# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.diffusion import (
    Schedule,
    add_noise,
    clean_from_noise,
    clean_from_velocity,
    noise_from_clean,
    posterior_mean,
    posterior_variance,
)
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor

SCHEDULE = Schedule(DDPMScheduler(num_train_timesteps=1000))
SPATIAL = [(4, 5), (3, 4, 2)]
LEVELS = [1, 2, 250, 1000]


def _condition(level: int) -> tuple[Tensor, float]:
    """Posterior of x_{l-1} by conditioning the joint normal distribution of x_1 ... x_l given x_0, built step by step.

    Returns weights (of x_0, of x_l) of the mean, and the variance. Nothing here uses the formulas of the paper.
    """
    betas = SCHEDULE.betas[1 : level + 1]
    of_clean, variance = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    before = (of_clean, variance)
    for beta in betas:  # x_i = sqrt(1 - b_i) x_{i-1} + sqrt(b_i) n_i
        before = (of_clean, variance)
        of_clean, variance = (1 - beta).sqrt() * of_clean, (1 - beta) * variance + beta
    # x_{l-1} = a x_0 + u, x_l = c x_{l-1} + sqrt(b) n: cov(x_{l-1}, x_l) = c var(u)
    gain = (1 - betas[-1]).sqrt() * before[1] / variance
    rest = before[1] - gain * (1 - betas[-1]).sqrt() * before[1]
    return torch.stack([before[0] - gain * of_clean, gain]), float(rest)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_posterior_against_conditioning_of_the_joint_distribution(level: int, spatial: tuple[int, ...]) -> None:
    clean, noisy = torch.randn(2, 2, 1, *spatial, dtype=torch.float64).unbind(0)
    (of_clean, of_noisy), variance = _condition(level)
    expected = of_clean * clean + of_noisy * noisy
    torch.testing.assert_close(posterior_mean(SCHEDULE, clean, noisy, level), expected, rtol=1e-9, atol=1e-9)
    assert float(posterior_variance(SCHEDULE, level, noisy)) == pytest.approx(variance, rel=1e-9, abs=1e-15)
    large = posterior_variance(SCHEDULE, level, noisy, "fixed_large")
    assert float(large) == pytest.approx(1e-4 + (2e-2 - 1e-4) * (level - 1) / 999, rel=1e-6)


@pytest.mark.parametrize("level", [2, 250, 1000])
def test_posterior_against_monai(level: int) -> None:
    clean, noisy = torch.randn(2, 1, 1, 4, 4).unbind(0)
    for kind in ("fixed_small", "fixed_large"):
        theirs = DDPMScheduler(num_train_timesteps=1000, variance_type=kind)
        mean = theirs._get_mean(level - 1, clean, noisy)
        torch.testing.assert_close(
            posterior_mean(SCHEDULE, clean, noisy, level), mean, rtol=2e-3, atol=5e-4
        )  # float32 tables
        variance = float(posterior_variance(SCHEDULE, level, noisy, kind))
        assert variance == pytest.approx(float(theirs._get_variance(level - 1)), rel=1e-3)


def test_at_the_lowest_level_the_posterior_is_the_image() -> None:
    clean, noisy = torch.randn(2, 1, 1, 4, 4).unbind(0)
    assert torch.equal(posterior_mean(SCHEDULE, clean, noisy, 1), clean)
    assert float(posterior_variance(SCHEDULE, 1, noisy)) == 0.0


def test_level_zero_is_the_image() -> None:
    images, noise = torch.randn(2, 1, 1, 4, 4).unbind(0)
    assert torch.equal(add_noise(SCHEDULE, images, noise, 0), images)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_adding_noise_equals_monai_one_timestep_below(spatial: tuple[int, ...]) -> None:
    images, noise = torch.randn(2, 3, 1, *spatial).unbind(0)
    levels = torch.tensor([1, 300, 1000])
    theirs = DDPMScheduler(num_train_timesteps=1000).add_noise(images, noise, levels - 1)
    torch.testing.assert_close(add_noise(SCHEDULE, images, noise, levels), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_the_forward_process_can_be_solved(level: int, spatial: tuple[int, ...]) -> None:
    images, noise = torch.randn(2, 2, 2, *spatial, dtype=torch.float64).unbind(0)
    noisy = add_noise(SCHEDULE, images, noise, level)
    torch.testing.assert_close(clean_from_noise(SCHEDULE, noisy, noise, level), images)
    torch.testing.assert_close(noise_from_clean(SCHEDULE, noisy, images, level), noise)
    share = SCHEDULE.alpha_bars[level]
    velocity = share.sqrt() * noise - (1 - share).sqrt() * images
    torch.testing.assert_close(clean_from_velocity(SCHEDULE, noisy, velocity, level), images)


@pytest.mark.parametrize("spatial", SPATIAL)
def test_one_level_and_one_for_each_image_agree(spatial: tuple[int, ...]) -> None:
    """Faults F1 of the published code: a batch with different levels."""
    images, other = torch.randn(2, 4, 2, *spatial).unbind(0)
    levels = torch.tensor([1, 7, 400, 1000])
    functions: list[Any] = [add_noise, clean_from_noise, noise_from_clean, clean_from_velocity, posterior_mean]
    for function in functions:
        together = function(SCHEDULE, images, other, levels)
        alone = [function(SCHEDULE, images[i : i + 1], other[i : i + 1], int(levels[i])) for i in range(4)]
        assert together.dtype == torch.float32
        assert torch.equal(together, torch.cat(alone)), function.__name__
    for kind in ("fixed_small", "fixed_large"):
        each = posterior_variance(SCHEDULE, levels, images, kind).flatten()
        assert each.tolist() == [float(posterior_variance(SCHEDULE, int(level), images, kind)) for level in levels]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_images_keep_their_type(dtype: torch.dtype) -> None:
    images, noise = torch.randn(2, 2, 1, 4, 4).to(dtype).unbind(0)
    for level in (5, torch.tensor([5, 6])):
        assert add_noise(SCHEDULE, images, noise, level).dtype == dtype
        assert posterior_mean(SCHEDULE, images, noise, level).dtype == dtype


def test_an_unknown_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="learned"):
        posterior_variance(SCHEDULE, 1, torch.zeros(1, 1, 2, 2), "learned")
