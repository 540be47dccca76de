# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from medad.diffusion import Schedule, bound_weight
from medad.engines import PrepareDiffusion, PrepareHybridDiffusion
from medad.errors import InputError
from medad.noise import GaussianNoise
from monai.networks.schedulers import DDPMScheduler


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize("spatial", [(8, 8), (4, 4, 4)])
def test_target_is_the_noise_and_the_weight_of_its_own_level(spatial: tuple[int, ...], variance: str) -> None:
    scheduler = DDPMScheduler(num_train_timesteps=500, schedule="cosine", variance_type=variance)
    batch, found = {"image": torch.rand(5, 1, *spatial)}, []
    for kind in (PrepareDiffusion, PrepareHybridDiffusion):
        torch.manual_seed(1)
        found.append(kind(GaussianNoise(len(spatial)), scheduler, 400, (0.0, 2.0))(batch))
    (images, noise, arguments, named), (again, (target, factors), others, told) = found
    assert torch.equal(images, again) and torch.equal(noise, target) and arguments == others == ()
    assert torch.equal(named["timesteps"], told["timesteps"]) and torch.equal(named["noise"], told["noise"])
    schedule = Schedule(scheduler)
    for factor, timestep in zip(factors, told["timesteps"].tolist(), strict=True):
        expected = 500 * float(bound_weight(schedule, timestep + 1, images, variance))
        assert factor.shape == (1,) * (1 + len(spatial)) and float(factor) == pytest.approx(expected)


def test_what_has_no_bound_is_refused() -> None:
    for arguments, match in (({"prediction_type": "sample"}, "'epsilon'"), ({"variance_type": "learned"}, "learned")):
        with pytest.raises(ValueError, match=match):
            PrepareHybridDiffusion(GaussianNoise(2), DDPMScheduler(**arguments))
    with pytest.raises(ValueError, match="train_timesteps"):
        PrepareHybridDiffusion(GaussianNoise(2), DDPMScheduler(), train_timesteps=2000)


def test_volumes_for_a_2d_network_are_explained() -> None:
    with pytest.raises(InputError, match=r"volume_3d\.json"):
        PrepareHybridDiffusion(GaussianNoise(2), DDPMScheduler())({"image": torch.zeros(1, 1, 4, 4, 4)})
