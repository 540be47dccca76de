# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.diffusion import Schedule, bound_weight
from medad.engines import PrepareConditionedDiffusion, PrepareDiffusion, PrepareGuidedDiffusion, PrepareHybridDiffusion
from medad.errors import InputError
from medad.networks import DiffusionUNet
from medad.noise import FractalSimplexNoise, GaussianNoise
from monai.data import MetaTensor
from monai.engines import SupervisedTrainer
from monai.inferers import DiffusionInferer
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

SPATIAL = [(16, 16), (8, 8, 8)]


def _prepare(spatial_dims: int = 2, prediction_type: str = "epsilon", **options: Any) -> PrepareDiffusion:
    scheduler = DDPMScheduler(num_train_timesteps=1000, prediction_type=prediction_type)
    return PrepareDiffusion(GaussianNoise(spatial_dims), scheduler, **options)


def _split(prepared: tuple[Any, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, target, arguments, named = prepared
    assert arguments == () and set(named) == {"noise", "timesteps"}
    return images, target, named["noise"], named["timesteps"]


@pytest.mark.parametrize("spatial", SPATIAL)
def test_images_reach_the_network_in_its_range_and_the_target_is_the_noise(spatial: tuple[int, ...]) -> None:
    image = 1.5 * torch.rand(4, 2, *spatial)
    prepare = _prepare(len(spatial), value_range=(0.0, 1.5))
    images, target, noise, timesteps = _split(prepare({"image": MetaTensor(image), "label": torch.zeros(4)}))
    assert type(images) is torch.Tensor
    torch.testing.assert_close(images, image / 0.75 - 1)
    assert torch.equal(target, noise) and noise.shape == image.shape
    assert timesteps.shape == (4,) and timesteps.dtype == torch.long


def test_the_prediction_type_decides_what_the_target_is() -> None:
    batch = {"image": torch.rand(3, 1, 8, 8)}
    images, target, *_ = _split(_prepare(prediction_type="sample")(batch))
    assert torch.equal(target, images)
    images, target, noise, timesteps = _split(_prepare(prediction_type="v_prediction")(batch))
    share = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000), 0)[timesteps].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(target, share.sqrt() * noise - (1 - share).sqrt() * images)


@pytest.mark.parametrize("kind", [GaussianNoise, FractalSimplexNoise])
@pytest.mark.parametrize("spatial", SPATIAL)
def test_a_batch_of_four_has_four_fields_and_four_timesteps(kind: Any, spatial: tuple[int, ...]) -> None:
    """Faults F1 and F2 of the published code: batches of several images crash, or share one field."""
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    prepare = PrepareDiffusion(kind(len(spatial)), scheduler, train_timesteps=800)
    network = DiffusionUNet(len(spatial), 1, 1, (8, 8), (False, False), 1, norm_groups=4)
    images, target, noise, timesteps = _split(prepare({"image": torch.rand(4, 1, *spatial)}))
    prediction = DiffusionInferer(scheduler)(images, network, noise=noise, timesteps=timesteps)
    (prediction - target).square().mean().backward()
    assert len(set(timesteps.tolist())) > 1
    fields = target.flatten(1)
    between = torch.corrcoef(fields)[~torch.eye(4, dtype=torch.bool)]
    assert float(between.abs().max()) < 0.9
    assert all(not torch.equal(fields[i], fields[j]) for i in range(4) for j in range(i))


def test_timesteps_stay_below_the_limit_and_reach_it() -> None:
    batch = {"image": torch.rand(4000, 1, 2, 2)}
    *_, timesteps = _split(_prepare(train_timesteps=20)(batch))
    assert sorted(set(timesteps.tolist())) == list(range(20))
    counts = torch.bincount(timesteps)
    assert int(counts.min()) > 140 and int(counts.max()) < 260  # 200 each; four standard deviations
    *_, timesteps = _split(_prepare()(batch))
    assert int(timesteps.max()) > 980


def test_the_seed_of_the_run_decides_and_numpy_is_left_alone() -> None:
    import numpy as np

    prepare, batch = _prepare(), {"image": torch.rand(2, 1, 8, 8)}
    before = np.random.get_state()[1].copy()  # noqa: NPY002 the legacy state is what is to be left alone
    torch.manual_seed(1)
    first, second = prepare(batch)[3], prepare(batch)[3]
    torch.manual_seed(1)
    again = prepare(batch)[3]
    assert torch.equal(first["noise"], again["noise"]) and torch.equal(first["timesteps"], again["timesteps"])
    assert not torch.equal(first["noise"], second["noise"])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


class _OneImage(nn.Module):
    """A network that has learned one image by heart: the noise follows from it exactly."""

    def __init__(self, image: Tensor, shares: Tensor) -> None:
        super().__init__()
        self.image, self.shares = image, shares
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, timesteps: Tensor, context: None = None) -> Tensor:
        share = self.shares[timesteps].reshape(-1, 1, 1, 1)
        return (x - share.sqrt() * self.image) / (1 - share).sqrt() + self.offset


def test_loss_of_a_trainer_is_zero_for_a_network_that_knows_the_image() -> None:
    """What the trainer compares is the injected noise itself, in its own range."""
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    image = torch.rand(1, 1, 8, 8)
    network = _OneImage(2 * image - 1, scheduler.alphas_cumprod)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": image.expand(8, -1, -1, -1)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=nn.MSELoss(),
        inferer=DiffusionInferer(scheduler),
        prepare_batch=PrepareDiffusion(GaussianNoise(2), scheduler, train_timesteps=800),
        decollate=False,
    )
    trainer.run()
    assert float(trainer.state.output["loss"]) < 1e-6


@pytest.mark.parametrize("timesteps", [0, 1001])
def test_wrong_arguments_are_named(timesteps: int) -> None:
    with pytest.raises(ValueError, match=f"train_timesteps={timesteps}"):
        _prepare(train_timesteps=timesteps)
    with pytest.raises(ValueError, match="value_range"):
        _prepare(value_range=(1.0, 0.0))


def test_volumes_for_a_2d_network_are_explained() -> None:
    with pytest.raises(InputError, match=r"volume_3d\.json"):
        _prepare()({"image": torch.zeros(1, 1, 8, 8, 8)})


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
