# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.diffusion import Schedule, add_noise, harmonic_mean, harmonize, soft_mask
from monai.networks.schedulers import DDPMScheduler
from scipy import ndimage

SCHEDULE = Schedule(DDPMScheduler(num_train_timesteps=1000))
SPATIAL = [(20, 23), (9, 8, 11)]


@pytest.mark.parametrize("spatial", SPATIAL)
def test_soft_mask_is_the_published_formula_image_by_image(spatial: tuple[int, ...]) -> None:
    maps = torch.rand(3, 1, *spatial) * torch.tensor([0.01, 1.0, 7.0]).view(3, 1, *(1,) * len(spatial))
    mask = soft_mask(maps, 5)
    cube = (5,) * len(spatial)
    for image, ours in zip(maps[:, 0].numpy(), mask[:, 0].numpy(), strict=True):
        share = image / image.max()
        closed = ndimage.grey_closing(share, size=cube, mode="nearest")
        expected = np.clip((ndimage.grey_dilation(closed, size=cube, mode="nearest") + share) / 2, 0, 1)
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
    alone = torch.cat([soft_mask(image[None], 5) for image in maps])
    assert torch.equal(alone, mask)  # fault F6 of the published code: the batch is a further axis


def test_soft_mask_ends_where_the_cube_ends_and_is_0_where_nothing_is_different() -> None:
    maps = torch.zeros(2, 1, 15, 15)
    maps[0, 0, 7, 7] = 0.2
    mask = soft_mask(maps, 5)
    expected = torch.zeros(15, 15)
    expected[5:10, 5:10] = 0.5
    expected[7, 7] = 1.0
    torch.testing.assert_close(mask[0, 0], expected)
    assert torch.equal(mask[1], torch.zeros(1, 15, 15))


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("channels", [1, 3])
def test_without_a_mask_the_image_comes_back_exactly(spatial: tuple[int, ...], channels: int) -> None:
    """Fault F2 of the published code: whatever is darker than mid-gray becomes mid-gray."""
    images = torch.rand(2, channels, *spatial) * 2 - 1
    clean, noise = torch.rand_like(images), torch.randn_like(images)
    mask = torch.zeros(2, 1, *spatial)
    mask[..., :4] = torch.rand(2, 1, *spatial)[..., :4]
    mask[..., 4] = 1.0
    blend = harmonize(SCHEDULE, images, clean, mask, noise, 0)
    assert torch.equal(blend[..., 5:], images[..., 5:]) and bool((images[..., 5:] < 0).any())
    assert torch.equal(blend[..., 4], clean[..., 4])
    torch.testing.assert_close(blend, mask * clean + (1 - mask) * images)


@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("level", [1, 150, 1000])
def test_the_state_has_the_noise_of_its_level(spatial: tuple[int, ...], level: int) -> None:
    images, clean, noise = torch.randn(3, 2, 1, *spatial).unbind(0)
    mask = torch.rand(2, 1, *spatial)
    blend = harmonize(SCHEDULE, images, clean, mask, noise, 0)
    state = harmonize(SCHEDULE, images, clean, mask, noise, level)
    torch.testing.assert_close(state, add_noise(SCHEDULE, blend, noise, level))


@pytest.mark.parametrize("spatial", SPATIAL)
def test_harmonic_mean_over_time(spatial: tuple[int, ...]) -> None:
    maps = torch.rand(2, 5, *spatial, dtype=torch.float64)
    expected = 5 / (1 / (maps + 1e-3)).sum(1, keepdim=True) - 1e-3
    torch.testing.assert_close(harmonic_mean(maps, 1e-3), expected)
    tiny = 1e-12
    torch.testing.assert_close(harmonic_mean(maps, tiny), 5 / (1 / maps).sum(1, keepdim=True), rtol=1e-6, atol=1e-9)
    same = maps[:, :1].expand(-1, 5, *spatial)
    torch.testing.assert_close(harmonic_mean(same, 1e-3), same[:, :1])


def test_one_zero_map_does_not_make_the_mean_zero() -> None:
    """Fault F8 of the published code: a single 0 makes the harmonic mean 0, whatever the other maps say."""
    maps = torch.rand(1, 6, 8, 8) + 0.1
    maps[:, 2] = 0.0
    for eps in (1e-6, 1e-3):
        mean = harmonic_mean(maps, eps)
        assert float(mean.min()) > 0 and float(mean.max()) < 6 * eps  # five others at most
        torch.testing.assert_close(mean, torch.full_like(mean, 5 * eps), rtol=0.05, atol=1e-7)
    assert torch.equal(harmonic_mean(torch.zeros(1, 6, 8, 8), 1e-3), torch.zeros(1, 1, 8, 8))


def test_a_map_that_fades_once_counts_less_than_one_that_stays() -> None:
    stays, fades = torch.full((1, 4, 2, 2), 0.3), torch.full((1, 4, 2, 2), 0.4)
    fades[:, 3] = 0.05
    assert float(fades.mean()) > float(stays.mean())
    assert float(harmonic_mean(fades, 1e-3).max()) < float(harmonic_mean(stays, 1e-3).min())
