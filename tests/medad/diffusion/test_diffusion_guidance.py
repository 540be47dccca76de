# SPDX-License-Identifier: Apache-2.0
import math
from collections.abc import Callable

import pytest
import torch
from medad.diffusion import (
    Predict,
    Prediction,
    Schedule,
    add_noise,
    classifier_free_guided,
    classifier_guided,
    clean_from_noise,
    denoise_ddim,
    encode_ddim,
    guide,
    level_grid,
    log_probability_gradient,
    noise_from_clean,
)
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler
from torch import Tensor

SCHEDULE = Schedule(DDPMScheduler(num_train_timesteps=1000))
SPATIAL = [(6, 5), (4, 3, 2)]
MEAN, STD = 0.3, 0.4


def _gaussian(mean: float = MEAN, std: float = STD) -> Predict:
    """Best predictor for independent normal pixels: E[x_0 | x_l] in closed form."""

    def predict(noisy: Tensor, level: int | Tensor) -> Prediction:
        share = SCHEDULE.alpha_bar(level, noisy)
        clean = mean + share.sqrt() * std**2 / (share * std**2 + 1 - share) * (noisy - share.sqrt() * mean)
        return Prediction(clean, noise_from_clean(SCHEDULE, noisy, clean, level))

    return predict


def _flow(images: Tensor, level: int) -> Tensor:
    """Solution of the probability-flow ODE for such pixels: the distance from the mean in standard deviations stays."""
    share = float(SCHEDULE.alpha_bars[level])
    return math.sqrt(share) * MEAN + math.sqrt(share * STD**2 + 1 - share) * (images - MEAN) / STD


def _images(*spatial: int) -> Tensor:
    return torch.randn(2, 1, *spatial, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * STD + MEAN


@pytest.mark.parametrize("spatial", SPATIAL)
def test_encoding_follows_the_ode_and_its_error_falls_with_the_steps(spatial: tuple[int, ...]) -> None:
    images = _images(*spatial)
    errors = []
    for steps in (10, 50, 250, 500):
        encoded = encode_ddim(_gaussian(), SCHEDULE, images, level_grid(500, steps)[::-1])
        errors.append(float((encoded - _flow(images, 500)).abs().max()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02 * float(images.abs().max()) and errors[0] > 5 * errors[-1]


@pytest.mark.parametrize("spatial", SPATIAL)
def test_decoding_follows_the_ode_back(spatial: tuple[int, ...]) -> None:
    images = _images(*spatial)
    errors = []
    for steps in (10, 50, 250, 500):
        decoded = denoise_ddim(_gaussian(), SCHEDULE, _flow(images, 500), level_grid(500, steps))
        errors.append(float((decoded - images).abs().max()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.02 * float(images.abs().max())


@pytest.mark.parametrize("level", [100, 500, 1000])
def test_without_guidance_the_image_comes_back(level: int) -> None:
    """Fault F1 of the published code: encoded at other levels than decoded."""
    images = _images(6, 5)
    errors = []
    for steps in (10, 20, 50, 100):
        grid = level_grid(level, steps)
        encoded = encode_ddim(_gaussian(), SCHEDULE, images, grid[::-1])
        errors.append(float((denoise_ddim(_gaussian(), SCHEDULE, encoded, grid) - images).abs().max()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.2 * errors[0]
    grid = level_grid(level, level)
    encoded = encode_ddim(_gaussian(), SCHEDULE, images, grid[::-1])
    assert float((denoise_ddim(_gaussian(), SCHEDULE, encoded, grid) - images).abs().max()) < 0.01


def test_the_way_up_asks_every_level_of_the_grid_but_the_last_and_the_way_down_all_but_the_first() -> None:
    asked: list[int] = []

    def predict(noisy: Tensor, level: int | Tensor) -> Prediction:
        assert isinstance(level, int)
        asked.append(level)
        return _gaussian()(noisy, level)

    grid = level_grid(500, 5)
    encoded = encode_ddim(predict, SCHEDULE, _images(2, 2), grid[::-1])
    assert asked == [1, 100, 200, 300, 400]
    asked.clear()
    denoise_ddim(predict, SCHEDULE, encoded, grid)
    assert asked == [500, 400, 300, 200, 100]


def test_encoding_agrees_with_monai_where_both_are_defined() -> None:
    """MONAI's reversed step, which starts at its timestep 0, where the image is at our level 1."""
    scheduler = DDIMScheduler(num_train_timesteps=1000, clip_sample=False)
    scheduler.set_timesteps(100)
    state = torch.randn(1, 1, 4, 4)
    predict = _gaussian()
    ours = denoise_ddim(predict, SCHEDULE, state, [1, 11, 21])
    for timestep in (0, 10):
        state, _ = scheduler.reversed_step(predict(state, timestep + 1).noise, timestep, state)
    torch.testing.assert_close(ours, state, rtol=1e-4, atol=1e-4)


# ---- guidance


def _brightness(slope: float = 2.0) -> Callable[[Tensor, Tensor], Tensor]:
    """A classifier that takes bright images for abnormal: logits (0, slope * mean)."""

    def classify(images: Tensor, timesteps: Tensor) -> Tensor:
        assert timesteps.shape == (len(images),)
        mean = images.flatten(1).mean(1)
        return torch.stack([torch.zeros_like(mean), slope * mean], dim=1)

    return classify


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("target", [0, 1])
def test_gradient_of_a_known_classifier(spatial: tuple[int, ...], target: int) -> None:
    images = torch.rand(3, 2, *spatial)
    found = log_probability_gradient(_brightness(), images, 7, target)
    probability = torch.sigmoid(2.0 * images.flatten(1).mean(1))
    slope = (1 - probability if target else -probability) * 2.0 / images[0].numel()
    torch.testing.assert_close(found, slope.reshape(3, *[1] * (images.ndim - 1)).expand_as(images))


def test_gradient_is_float32_under_autocast_and_where_gradients_are_off() -> None:
    weight = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    types = []

    def classify(images: Tensor, timesteps: Tensor) -> Tensor:
        logits = images.flatten(1) @ weight
        types.append(logits.dtype)
        return logits

    images = torch.rand(2, 1, 8, 8)
    expected = log_probability_gradient(classify, images, 3, 0)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert (images.flatten(1) @ weight).dtype == torch.bfloat16  # what it would be
        found = log_probability_gradient(classify, images, 3, 0)
        created_here = log_probability_gradient(classify, images.clone(), 3, 0)
    with torch.no_grad():
        assert torch.equal(log_probability_gradient(classify, images, 3, 0), expected)
    assert torch.equal(found, expected) and torch.equal(created_here, expected)
    assert set(types) == {torch.float32}
    assert not found.requires_grad


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("level", [3, torch.tensor([5, 700])])
def test_a_guided_prediction_gives_the_same_noisy_image(spatial: tuple[int, ...], level: int | Tensor) -> None:
    images, noise, gradient = torch.randn(3, 2, 1, *spatial, dtype=torch.float64)
    noisy = add_noise(SCHEDULE, images, noise, level)
    guided = guide(SCHEDULE, Prediction(images, noise), gradient, level, 5.0)
    torch.testing.assert_close(add_noise(SCHEDULE, guided.clean, guided.noise, level), noisy)
    share = SCHEDULE.alpha_bar(level, images)
    torch.testing.assert_close(guided.noise, noise - 5.0 * (1 - share).sqrt() * gradient)
    torch.testing.assert_close(guided.clean, clean_from_noise(SCHEDULE, noisy, guided.noise, level))


def test_classifier_guidance_reaches_the_conditional_distribution() -> None:
    """Two classes of normal pixels of one width: with s = 1 the exact classifier leads to the first one."""
    means, std = (-0.5, 0.7), 0.3

    def moments(level: int | Tensor, like: Tensor) -> tuple[Tensor, list[Tensor]]:
        share = SCHEDULE.alpha_bar(level, like)
        return share * std**2 + 1 - share, [share.sqrt() * mean for mean in means]

    def classify(noisy: Tensor, timesteps: Tensor) -> Tensor:
        variance, centers = moments(timesteps + 1, noisy)
        return torch.stack([-((noisy - center).square() / (2 * variance)).sum((1, 2, 3)) for center in centers], 1)

    def mixture(noisy: Tensor, level: int | Tensor) -> Prediction:
        weights = classify(noisy, torch.full((len(noisy),), int(level) - 1)).softmax(1)
        given = [_gaussian(mean, std)(noisy, level) for mean in means]
        mixed = [sum(weights[:, k, None, None, None] * given[k][part] for k in (0, 1)) for part in (0, 1)]
        return Prediction(mixed[0], mixed[1])

    noisy = torch.randn(5, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    guided = classifier_guided(mixture, classify, SCHEDULE, 0, 1.0)
    for level in (20, 400, 900):
        # both in float32, in which gradients are taken
        for found, expected in zip(guided(noisy, level), _gaussian(means[0], std)(noisy, level), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_small_scales_move_the_probability_monotonically_toward_the_class() -> None:
    """Fault F6 of the published code: labels the other way round. 0 is normal, and its probability rises."""
    images, grid, classify = _images(6, 5), level_grid(400, 40), _brightness(40.0)
    encoded = encode_ddim(_gaussian(), SCHEDULE, images, grid[::-1])
    for target, sign in ((0, -1), (1, 1)):
        found = []
        for scale in (0.0, 0.5, 1.0, 2.0, 4.0):
            guided = classifier_guided(_gaussian(), classify, SCHEDULE, target, scale)
            decoded = denoise_ddim(guided, SCHEDULE, encoded, grid)
            found.append(classify(decoded, torch.zeros(2)).softmax(1)[:, 1])
        steps = torch.stack(found).diff(dim=0)
        assert (sign * steps > 0).all()


def test_scale_zero_asks_nothing() -> None:
    predict = _gaussian()

    def refuse(*_: object) -> Tensor:
        raise AssertionError

    assert classifier_guided(predict, refuse, SCHEDULE, 0, 0.0) is predict
    assert classifier_free_guided(predict, refuse, 0.0) is predict


@pytest.mark.parametrize("spatial", SPATIAL)
def test_classifier_free_guidance_is_that_of_the_implied_classifier(spatial: tuple[int, ...]) -> None:
    unknown, given = _gaussian(0.3, 0.5), _gaussian(-0.2, 0.4)
    noisy, level = torch.randn(2, 1, *spatial, dtype=torch.float64), 300
    share = SCHEDULE.alpha_bar(level, noisy)
    gradient = (unknown(noisy, level).noise - given(noisy, level).noise) / (1 - share).sqrt()
    for scale in (1.0, 3.0):
        found = classifier_free_guided(unknown, given, scale)(noisy, level)
        expected = guide(SCHEDULE, unknown(noisy, level), gradient, level, scale)
        torch.testing.assert_close(found.noise, expected.noise)
        torch.testing.assert_close(found.clean, expected.clean)
    torch.testing.assert_close(
        classifier_free_guided(unknown, given, 1.0)(noisy, level).clean, given(noisy, level).clean
    )
