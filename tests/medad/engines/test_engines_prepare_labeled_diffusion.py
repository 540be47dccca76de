# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from medad.engines import PrepareConditionedDiffusion, PrepareDiffusion, PrepareGuidedDiffusion
from medad.errors import InputError
from medad.noise import GaussianNoise
from monai.networks.schedulers import DDPMScheduler

SPATIAL = [(8, 8), (4, 4, 4)]


def _prepared(kind: type[PrepareDiffusion], *spatial: int) -> tuple[Any, ...]:
    torch.manual_seed(1)
    prepare = kind(GaussianNoise(len(spatial)), DDPMScheduler(num_train_timesteps=1000))
    return prepare({"image": torch.arange(3.0).reshape(3, 1, *[1] * len(spatial)).expand(3, 1, *spatial) / 4,
                    "label": torch.tensor([0, 1, 0])})  # fmt: skip


@pytest.mark.parametrize("spatial", SPATIAL)
def test_the_classifier_gets_labels_as_target(spatial: tuple[int, ...]) -> None:
    images, target, arguments, named = _prepared(PrepareDiffusion, *spatial)
    found = _prepared(PrepareGuidedDiffusion, *spatial)
    assert torch.equal(found[0], images) and torch.equal(found[1][0], target) and found[2] == arguments == ()
    assert found[1][1].tolist() == [0, 1, 0] and found[1][1].dtype == torch.long
    assert set(found[3]) == {"noise", "timesteps"} and torch.equal(found[3]["noise"], named["noise"])


@pytest.mark.parametrize("spatial", SPATIAL)
def test_a_conditional_network_gets_labels_beside_the_image(spatial: tuple[int, ...]) -> None:
    _, target, _, named = _prepared(PrepareDiffusion, *spatial)
    found = _prepared(PrepareConditionedDiffusion, *spatial)
    assert torch.equal(found[1], target) and torch.equal(found[3]["noise"], named["noise"])
    assert found[3]["condition"].tolist() == [0, 1, 0]


def test_volumes_for_a_2d_network_are_explained() -> None:
    with pytest.raises(InputError, match=r"volume_3d\.json"):
        PrepareGuidedDiffusion(GaussianNoise(2), DDPMScheduler())({"image": torch.zeros(1, 1, 4, 4, 4)})
