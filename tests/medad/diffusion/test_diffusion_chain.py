# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from medad.diffusion import (
    Prediction,
    Schedule,
    Step,
    add_noise,
    ancestral_step,
    ddim_step,
    denoise_ancestral,
    denoise_ddim,
    encode_ddim,
    level_grid,
    noise_from_clean,
)
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler
from torch import Tensor

SCHEDULE = Schedule(DDPMScheduler(num_train_timesteps=1000))
SPATIAL = [(6, 5), (4, 3, 2)]


class _Oracle:
    """Knows the image; remembers every state it was asked about."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.asked: list[tuple[int, Tensor]] = []

    def __call__(self, noisy: Tensor, level: int | Tensor) -> Prediction:
        assert isinstance(level, int)
        self.asked.append((level, noisy))
        return Prediction(self.images, noise_from_clean(SCHEDULE, noisy, self.images, level))


def _gaussian(mean: float, std: float) -> object:
    """Best predictor for independent normal pixels: E[x_0 | x_l] in closed form."""

    def predict(noisy: Tensor, level: int | Tensor) -> Prediction:
        share = SCHEDULE.alpha_bar(level, noisy)
        gain = share.sqrt() * std**2 / (share * std**2 + 1 - share)
        clean = mean + gain * (noisy - share.sqrt() * mean)
        return Prediction(clean, noise_from_clean(SCHEDULE, noisy, clean, level))

    return predict


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_an_oracle_brings_the_image_back_exactly(spatial: tuple[int, ...], variance: str) -> None:
    images = torch.rand(2, 1, *spatial) * 2 - 1
    oracle = _Oracle(images)
    noisy = add_noise(SCHEDULE, images, torch.randn_like(images), 40)
    result = denoise_ancestral(oracle, SCHEDULE, noisy, 40, lambda level: torch.randn_like(images), variance)
    assert torch.equal(result, images)
    assert [level for level, _ in oracle.asked] == list(range(40, 0, -1))


@pytest.mark.parametrize("spatial", SPATIAL)
def test_without_chance_every_state_lies_where_its_level_says(spatial: tuple[int, ...]) -> None:
    """Fault F11 of the published code: noised to one level, decoded from another."""
    images = torch.rand(2, 1, *spatial, dtype=torch.float64) * 2 - 1
    noise = torch.randn_like(images)
    oracle = _Oracle(images)
    grid = level_grid(250, 10)
    assert torch.equal(denoise_ddim(oracle, SCHEDULE, add_noise(SCHEDULE, images, noise, 250), grid), images)
    assert [level for level, _ in oracle.asked] == grid[:-1]
    for level, state in oracle.asked:
        torch.testing.assert_close(state, add_noise(SCHEDULE, images, noise, level), rtol=1e-9, atol=1e-9)


def test_each_state_of_the_ancestral_chain_has_the_noise_of_its_level() -> None:
    """With the noise of a forward step at each level the states scatter around the image as the process says."""
    images = torch.zeros(1, 1, 200, 200, dtype=torch.float64)
    oracle = _Oracle(images)
    noisy = add_noise(SCHEDULE, images, torch.randn_like(images), 60)
    denoise_ancestral(oracle, SCHEDULE, noisy, 60, lambda level: torch.randn_like(images))
    for level, state in oracle.asked:
        assert float(state.std()) == pytest.approx(math.sqrt(1 - SCHEDULE.alpha_bars[level]), rel=0.02), level


def test_ancestral_chain_on_normal_pixels_gives_the_right_distribution() -> None:
    """Data N(0, 1) stay N(0, 1) at every level, and the right variance of a step is that of the forward step.

    From an image x_0, noised to level l and denoised, x^ ~ N(a_l x_0, 1 - a_l^2).
    """
    images = torch.randn(1, 1, 300, 300, dtype=torch.float64)
    start = 300
    noisy = add_noise(SCHEDULE, images, torch.randn_like(images), start)
    result = denoise_ancestral(
        _gaussian(0.0, 1.0), SCHEDULE, noisy, start, lambda level: torch.randn_like(images), "fixed_large"
    )
    share = float(SCHEDULE.alpha_bars[start])
    slope = float((result * images).mean() / images.square().mean())
    rest = result - share * images
    assert slope == pytest.approx(share, abs=0.012)  # 90 000 pixels: three standard deviations are 0.01
    assert float(rest.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(rest.var()) == pytest.approx(1 - share**2, rel=0.02)


def test_ancestral_chain_with_the_small_variance_loses_what_it_should() -> None:
    """The same chain with the posterior variance of a known image: closed recursion of the variance."""
    images = torch.randn(1, 1, 300, 300, dtype=torch.float64)
    variance = 1.0
    for level in range(200, 0, -1):
        here, below, beta = SCHEDULE.alpha_bars[level], SCHEDULE.alpha_bars[level - 1], SCHEDULE.betas[level]
        gain = (below.sqrt() * beta * here.sqrt() + (1 - beta).sqrt() * (1 - below)) / (1 - here)
        variance = float(gain**2 * variance + (beta * (1 - below) / (1 - here) if level > 1 else 0.0))
    noisy = add_noise(SCHEDULE, images, torch.randn_like(images), 200)
    result = denoise_ancestral(
        _gaussian(0.0, 1.0), SCHEDULE, noisy, 200, lambda level: torch.randn_like(images), "fixed_small"
    )
    assert variance < 0.999
    assert float(result.var()) == pytest.approx(variance, rel=0.02)


def test_ddim_on_normal_pixels_follows_the_closed_form() -> None:
    """For N(0, s^2) the flow without chance scales every pixel: x_k = x_l sqrt(v_k / v_l), v = a s^2 + 1 - a."""
    std = 0.4
    noisy = torch.randn(1, 1, 8, 8, dtype=torch.float64)

    def spread(level: int) -> float:
        share = float(SCHEDULE.alpha_bars[level])
        return math.sqrt(share * std**2 + 1 - share)

    errors = []
    for steps in (25, 50, 500):
        result = denoise_ddim(_gaussian(0.0, std), SCHEDULE, noisy, level_grid(500, steps))
        errors.append(float((result / noisy - std / spread(500)).abs().max()))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 2e-3


@pytest.mark.parametrize("spatial", SPATIAL)
def test_ddim_on_every_level_equals_the_published_update_and_monai(spatial: tuple[int, ...]) -> None:
    noisy, noise = torch.randn(2, 1, 1, *spatial, dtype=torch.float64).unbind(0)
    for level in (999, 500, 2, 1):
        here, below = SCHEDULE.alpha_bars[level], SCHEDULE.alpha_bars[level - 1]
        clean = (noisy - (1 - here).sqrt() * noise) / here.sqrt()
        expected = below.sqrt() * clean + (1 - below).sqrt() * noise
        ours = ddim_step(SCHEDULE, Prediction(clean, noise), level - 1)
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
        theirs = DDIMScheduler(num_train_timesteps=1000, clip_sample=False, set_alpha_to_one=True)
        theirs.set_timesteps(1000)
        step, _ = theirs.step(noise, level - 1, noisy, eta=0.0)
        torch.testing.assert_close(ours, step, rtol=1e-3, atol=1e-4)


def test_one_ancestral_step_equals_monai_with_the_same_noise() -> None:
    clean, noisy = torch.randn(2, 1, 1, 6, 6).clamp(-1, 1).unbind(0)
    theirs = DDPMScheduler(num_train_timesteps=1000, variance_type="fixed_large", prediction_type="sample")
    drawn = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    step, _ = theirs.step(clean, 299, noisy, generator=torch.Generator().manual_seed(3))
    ours = ancestral_step(SCHEDULE, clean, noisy, 300, drawn, "fixed_large")
    torch.testing.assert_close(ours, step, rtol=1e-4, atol=1e-5)
    without, _ = theirs.step(clean, 0, noisy)
    torch.testing.assert_close(ancestral_step(SCHEDULE, clean, noisy, 1, None), without, rtol=0, atol=5e-4)


def test_encoding_is_decoding_backwards() -> None:
    images = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    noisy = add_noise(SCHEDULE, images, torch.randn_like(images), 1)
    upwards = list(range(1, 301))
    there = denoise_ddim(_gaussian(0.2, 0.5), SCHEDULE, noisy, upwards)
    back = denoise_ddim(_gaussian(0.2, 0.5), SCHEDULE, there, upwards[::-1])
    torch.testing.assert_close(back, noisy, rtol=0, atol=0.02)
    assert float((there - noisy).abs().max()) > 0.3


@pytest.mark.parametrize("walk", ["ancestral", "ddim"])
def test_what_happens_at_a_step_goes_on(walk: str) -> None:
    images = torch.rand(1, 1, 4, 4)
    seen: list[tuple[int, int]] = []

    def on_step(step: Step) -> Tensor:
        seen.append((step.origin, step.level))
        assert torch.equal(step.prediction.clean, images)
        return step.state + (1.0 if step.level == 0 else 0.0)

    oracle, noisy = _Oracle(images), torch.randn_like(images)
    if walk == "ancestral":
        result = denoise_ancestral(oracle, SCHEDULE, noisy, 3, torch.randn_like(images).mul, on_step=on_step)
    else:
        result = denoise_ddim(oracle, SCHEDULE, noisy, [3, 2, 1, 0], on_step=on_step)
    assert seen == [(3, 2), (2, 1), (1, 0)]
    torch.testing.assert_close(result, images + 1)


def test_encoding_asks_at_the_lower_end_of_each_step() -> None:
    """An image has no noise of its own: the first noise is that of level 1, however long the first step is."""
    oracle = _Oracle(torch.rand(1, 1, 4, 4))
    encode_ddim(oracle, SCHEDULE, oracle.images, [0, 10, 30, 50])
    assert [level for level, _ in oracle.asked] == [1, 10, 30]
