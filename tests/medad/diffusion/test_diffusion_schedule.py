# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from medad.diffusion import (
    Prediction,
    Schedule,
    add_noise,
    clean_from_noise,
    ddim_step,
    noise_from_clean,
    posterior_mean,
    posterior_variance,
)
from monai.networks.schedulers import DDPMScheduler


def _schedule(kind: str = "linear_beta", steps: int = 1000, **arguments: float) -> Schedule:
    return Schedule(DDPMScheduler(num_train_timesteps=steps, schedule=kind, **arguments))


def test_linear_schedule_against_its_closed_form() -> None:
    schedule = _schedule()
    assert schedule.levels == 1000
    assert float(schedule.betas[0]) == 0.0 and float(schedule.alpha_bars[0]) == 1.0
    share = 1.0
    for level in range(1, 1001):
        beta = 1e-4 + (2e-2 - 1e-4) * (level - 1) / 999
        share *= 1.0 - beta
        assert float(schedule.betas[level]) == pytest.approx(beta, rel=1e-6)
        assert float(schedule.alpha_bars[level]) == pytest.approx(share, rel=1e-5)


def test_cosine_schedule_against_its_closed_form() -> None:
    """Nichol and Dhariwal, arXiv:2102.09672, equation 17, up to the limit 0.999 of a step."""
    schedule = _schedule("cosine")
    shares = [math.cos((level / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for level in range(1001)]
    for level in range(1, 1001):
        beta = min(1 - shares[level] / shares[level - 1], 0.999)
        # MONAI takes the difference from 1 in float32
        assert float(schedule.betas[level]) == pytest.approx(beta, rel=1e-3, abs=2e-7), level
        if level < 1000:
            assert float(schedule.alpha_bars[level]) == pytest.approx(shares[level] / shares[0], rel=1e-2), level
    assert float(schedule.betas[1000]) == pytest.approx(0.999)
    assert float(schedule.alpha_bars[1000]) == pytest.approx(0.001 * float(schedule.alpha_bars[999]), rel=1e-3)


@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (2, 1, 4, 4, 4)])
def test_both_ends_of_the_cosine_schedule_lead_back_to_the_image(shape: tuple[int, ...]) -> None:
    schedule = _schedule("cosine")
    clean, noise = torch.rand(2, *shape, dtype=torch.float64).unbind(0)
    for level in (1, 2, 800, 999, 1000):
        noisy = add_noise(schedule, clean, noise, level)
        torch.testing.assert_close(clean_from_noise(schedule, noisy, noise, level), clean, rtol=0, atol=1e-9)
        torch.testing.assert_close(noise_from_clean(schedule, noisy, clean, level), noise, rtol=0, atol=1e-9)
        for kind in ("fixed_small", "fixed_large"):
            assert 0 <= float(posterior_variance(schedule, level, noisy, kind)) < 1
        below = add_noise(schedule, clean, noise, level - 1)
        torch.testing.assert_close(
            ddim_step(schedule, Prediction(clean, noise_from_clean(schedule, noisy, clean, level)), level - 1),
            below,
            rtol=0,
            atol=1e-9,
        )
        assert posterior_mean(schedule, clean, noisy, level).isfinite().all()
    torch.testing.assert_close(posterior_mean(schedule, clean, noisy, 1), clean)


def test_level_and_timestep_differ_by_one() -> None:
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    schedule = Schedule(scheduler)
    torch.testing.assert_close(schedule.alpha_bars[1:].float(), scheduler.alphas_cumprod, rtol=1e-5, atol=0)


def test_images_of_low_precision_leave_no_trace() -> None:
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    scheduler.add_noise(torch.zeros(1, 1, 2, 2).half(), torch.zeros(1, 1, 2, 2).half(), torch.tensor([3]))
    assert scheduler.alphas_cumprod.dtype == torch.float16  # what MONAI's tables become
    assert torch.equal(Schedule(scheduler).alpha_bars, _schedule().alpha_bars)


@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (3, 2, 4, 4, 4)])
def test_one_level_and_one_for_each_image_agree(shape: tuple[int, ...]) -> None:
    schedule, images = _schedule(), torch.zeros(shape)
    levels = torch.tensor([1, 500, 1000])
    for table in (schedule.alpha_bar, schedule.beta):
        each = table(levels, images)
        assert each.shape == (3, *(1,) * (len(shape) - 1)) and each.dtype == torch.float64
        assert each.flatten().tolist() == [float(table(int(level), images)) for level in levels]


def test_the_text_tells_schedules_apart() -> None:
    texts = {
        repr(_schedule()),
        repr(_schedule("cosine")),
        repr(_schedule("scaled_linear_beta")),
        repr(_schedule(steps=500)),
        repr(_schedule(beta_end=0.03)),
    }
    assert len(texts) == 5
    assert repr(_schedule()) == repr(_schedule())
