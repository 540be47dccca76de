# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from medad.inferers import PartialDiffusionInferer
from medad.networks import DiffusionUNet
from medad.noise import FractalSimplexNoise, GaussianNoise
from monai.data import MetaTensor
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

MODES: dict[str, dict[str, Any]] = {
    "ancestral": {"start_levels": (12,)},
    "ddim": {"start_levels": (200,), "steps": 6},
    "one_step": {"start_levels": (500,)},
}
SPATIAL = [(8, 12), (8, 4, 6)]
CALLS = {"ancestral": 12, "ddim": 6, "one_step": 1}


def _inferer(
    mode: str = "ancestral", spatial_dims: int = 2, noise: Any = None, **options: Any
) -> PartialDiffusionInferer:
    scheduler = DDPMScheduler(num_train_timesteps=1000, variance_type="fixed_large")
    noise = GaussianNoise(spatial_dims) if noise is None else noise
    arguments = {"scheduler": scheduler, **MODES[mode], **options}
    return PartialDiffusionInferer(spatial_dims, noise=noise, mode=mode, **arguments)


def _network(spatial_dims: int = 2, channels: int = 1) -> DiffusionUNet:
    network = DiffusionUNet(spatial_dims, channels, channels, (8, 8), (False, True), 1, norm_groups=4)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


class _Recorder:
    """Noise that remembers what it gave, and for which seeds."""

    def __init__(self, spatial_dims: int = 2) -> None:
        self.spatial_dims = spatial_dims
        self.plain = GaussianNoise(spatial_dims)
        self.seeds: list[list[int]] = []
        self.fields: list[Tensor] = []

    def __call__(
        self, images: Tensor, seeds: Tensor, times: Tensor | None = None, origin: Sequence[int] | None = None
    ) -> Tensor:
        self.seeds.append(seeds.tolist())
        self.fields.append(self.plain(images, seeds))
        return self.fields[-1]


class _Oracle(nn.Module):
    """Knows the images, in the range of the network, and so the noise; remembers what it was asked."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images
        self.shares = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0)
        self.asked: list[tuple[int, Tensor]] = []

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        assert timesteps.shape == (len(x),) and len(set(timesteps.tolist())) == 1
        self.asked.append((int(timesteps[0]), x))
        share = float(self.shares[timesteps[0]])
        return (x - share**0.5 * self.images) / (1 - share) ** 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 3.0)])
def test_a_perfect_network_gives_the_image_back(
    mode: str, spatial: tuple[int, ...], value_range: tuple[float, float]
) -> None:
    low, high = value_range
    images = low + (high - low) * torch.rand(3, 2, *spatial)
    oracle = _Oracle(2 * (images - low) / (high - low) - 1)
    out = _inferer(mode, len(spatial), value_range=value_range, repeats=2)(images, oracle)
    torch.testing.assert_close(out[:, 1:], images, rtol=0, atol=2e-5 * (high - low))
    assert out.shape == (3, 3, *spatial) and float(out[:, 0].max()) < 1e-8
    assert len(oracle.asked) == 2 * CALLS[mode]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_decoding_starts_at_the_level_of_the_noise(mode: str, spatial: tuple[int, ...]) -> None:
    """Fault F11 of the published code: noised to one level, decoded from another."""
    noise, images = _Recorder(len(spatial)), torch.rand(1, 1, *spatial)
    oracle = _Oracle(2 * images - 1)
    _inferer(mode, len(spatial), noise=noise)(images, oracle)
    timestep, state = oracle.asked[0]
    (level,) = MODES[mode]["start_levels"]
    assert timestep == level - 1
    share = float(oracle.shares[timestep])
    expected = share**0.5 * (2 * images - 1) + (1 - share) ** 0.5 * noise.fields[0]
    torch.testing.assert_close(state, expected, rtol=1e-5, atol=1e-5)
    if mode == "ancestral":
        assert [asked for asked, _ in oracle.asked] == list(range(level - 1, -1, -1))


def test_one_step_is_the_first_estimate() -> None:
    noise, images = _Recorder(), torch.rand(2, 1, 8, 8)
    network = _network()
    out = _inferer("one_step", noise=noise)(images, network)
    share = float(torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0)[499])
    noisy = share**0.5 * (2 * images - 1) + (1 - share) ** 0.5 * noise.fields[0]
    clean = (noisy - (1 - share) ** 0.5 * network(noisy, torch.full((2,), 499))) / share**0.5
    torch.testing.assert_close(out[:, 1:], (clean.clamp(-1, 1) + 1) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_an_image_alone_and_in_a_batch_has_the_same_map(mode: str, spatial: tuple[int, ...]) -> None:
    images, network = torch.rand(4, 1, *spatial), _network(len(spatial))
    inferer = _inferer(mode, len(spatial), repeats=2)
    whole = inferer(images, network)
    assert torch.equal(whole, inferer(images, network))  # nothing is drawn from a state
    scale = float(whole[:, 0].max())
    order = torch.tensor([2, 0, 3, 1])
    alone = torch.cat([inferer(image[None], network) for image in images])
    for part in (alone, inferer(images[order], network)[order.argsort()]):
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-5 * max(1.0, scale))
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize("mode", MODES)
def test_slices_have_fields_of_their_own_that_belong_to_their_place(mode: str) -> None:
    volumes, network = torch.rand(2, 1, 8, 8, 5), _network()
    whole = _inferer(mode)(volumes, network)
    assert whole.shape == (2, 2, 8, 8, 5)
    for size in (1, 3, 7):  # chunks that end within a volume and reach into the next
        part = _inferer(mode, slice_batch_size=size)(volumes, network)
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-5)
    # the first slice has the field of an image of its own
    torch.testing.assert_close(_inferer(mode)(volumes[..., 0], network), whole[..., 0], rtol=0, atol=1e-5)
    # two equal slices at two places meet other noise
    same = _inferer(mode)(volumes[:, :, :, :, :1].expand(-1, -1, -1, -1, 3), network)
    assert not torch.allclose(same[..., 0], same[..., 1])
    # two volumes meet the same noise
    noise = _Recorder()
    _inferer("one_step", noise=noise)(volumes, network)
    assert noise.seeds[0][:5] == noise.seeds[0][5:] and len(set(noise.seeds[0])) == 5


def test_the_same_slices_in_the_same_batch_are_equal_bit_for_bit() -> None:
    volumes, network = torch.rand(2, 1, 8, 8, 4), _network()
    inferer = _inferer(slice_batch_size=4)
    whole = inferer(volumes, network)
    assert torch.equal(torch.cat([inferer(volume[None], network) for volume in volumes]), whole)


def test_every_level_and_repeat_has_a_field_of_its_own() -> None:
    noise, images = _Recorder(), torch.rand(3, 1, 8, 8)
    _inferer("ancestral", noise=noise, repeats=3, start_levels=(4, 9))(images, _network())
    # each repeat: one field for each level above 0; both start levels share those of the lower levels
    assert len(noise.seeds) == 3 * (4 + 9) and all(len(seeds) == 1 for seeds in noise.seeds)
    assert len({seeds[0] for seeds in noise.seeds}) == 3 * 9
    correlation = torch.corrcoef(torch.stack([field.flatten() for field in noise.fields[4:13]]))
    assert float(correlation[~torch.eye(9, dtype=torch.bool)].abs().max()) < 0.6
    other = _Recorder()
    _inferer("ancestral", noise=other, seed=1)(images, _network())
    assert not {seeds[0] for seeds in other.seeds} & {seeds[0] for seeds in noise.seeds}


def test_reconstructions_are_averaged_over_levels_and_repeats() -> None:
    images, network = torch.rand(2, 1, 8, 8), _network()
    each = [_inferer("one_step", start_levels=(level,))(images, network)[:, 1:] for level in (250, 500, 750)]
    mean = _inferer("one_step", start_levels=(250, 500, 750))(images, network)
    assert _inferer("one_step", start_levels=250).start_levels == (250,)
    assert repr(_inferer("one_step", start_levels="250, 500,750")) == repr(
        _inferer("one_step", start_levels=(250, 500, 750))
    )
    torch.testing.assert_close(mean[:, 1:], torch.stack(each).mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mean[:, :1], (images - mean[:, 1:]).square(), rtol=1e-4, atol=1e-6)
    # a network that finds no noise leaves all of it, and repeats take it away
    silent = torch.full((1, 1, 64, 64), 0.5)

    def left(repeats: int) -> float:
        zero = _Says(torch.zeros_like(silent))
        return float((_inferer("one_step", start_levels=(5,), repeats=repeats)(silent, zero)[:, 1:] - 0.5).std())

    assert left(16) == pytest.approx(left(1) / 4, rel=0.1)


class _Says(nn.Module):
    """A network that always gives the same answer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return self.answer


def test_the_residual_is_taken_in_the_range_of_the_images() -> None:
    images = torch.full((1, 2, 4, 4), 0.5)
    scheduler = DDPMScheduler(num_train_timesteps=1000, prediction_type="sample")
    network = _Says(torch.zeros(1, 2, 4, 4))  # the middle of the range: 2 of [1, 3]
    for residual, value in (("l1", 1.5), ("l2", 2.25), (lambda x, y: (x * y).mean(1, keepdim=True), 1.0)):
        inferer = _inferer("one_step", scheduler=scheduler, value_range=(1.0, 3.0), residual=residual)
        out = inferer(images, network)
        torch.testing.assert_close(out[:, :1], torch.full((1, 1, 4, 4), value))
        torch.testing.assert_close(out[:, 1:], torch.full((1, 2, 4, 4), 2.0))


@pytest.mark.parametrize(("clip", "highest"), [((-1.0, 1.0), 1.0), ((-0.5, 0.5), 0.75), (None, 5.5)])
def test_the_limits_of_the_scheduler_hold(clip: tuple[float, float] | None, highest: float) -> None:
    low, high = clip or (0.0, 0.0)
    scheduler = DDPMScheduler(
        num_train_timesteps=1000,
        prediction_type="sample",
        clip_sample=clip is not None,
        clip_sample_min=low,
        clip_sample_max=high,
    )
    out = _inferer("one_step", scheduler=scheduler)(torch.rand(1, 1, 4, 4), _Says(torch.full((1, 1, 4, 4), 10.0)))
    torch.testing.assert_close(out[:, 1:], torch.full((1, 1, 4, 4), highest))


@pytest.mark.parametrize("kind", [GaussianNoise, FractalSimplexNoise])
@pytest.mark.parametrize("mode", MODES)
def test_three_channels_run_in_every_mode(kind: Any, mode: str) -> None:
    """Fault F10 of the published code: color images stop at the shape of the first convolution."""
    out = _inferer(mode, noise=kind(2))(torch.rand(2, 3, 16, 16), _network(channels=3))
    assert out.shape == (2, 4, 16, 16) and out.isfinite().all()


def test_metadata_survive() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    out = _inferer("one_step")(MetaTensor(torch.rand(1, 1, 8, 8, 3), affine=affine), _network())
    assert isinstance(out, MetaTensor) and torch.equal(out.affine, affine.to(out.affine))


def test_random_states_are_left_alone() -> None:
    import random

    import numpy as np

    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())  # noqa: NPY002 the legacy state
    _inferer()(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), _Says(torch.zeros(1, 1, 8, 8)))
    assert torch.equal(before[0], torch.get_rng_state()) and before[1] == random.getstate()
    assert np.array_equal(before[2], np.random.get_state()[1])  # noqa: NPY002


class _NoHost(TorchDispatchMode):
    """Refuse what brings a number from a tensor to Python, or needs one to know a shape: a GPU would have to wait."""

    WAITING = ("aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal", "aten.is_nonzero", "aten.unique")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function)
        assert not name.startswith(self.WAITING), f"{name} waits for the device"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", [GaussianNoise, FractalSimplexNoise])
@pytest.mark.parametrize("mode", MODES)
def test_the_host_never_waits_for_the_device(kind: Any, mode: str) -> None:
    images, network = torch.rand(2, 1, 8, 8, 3), _network()
    inferer = _inferer(mode, noise=kind(2))
    with torch.no_grad(), _NoHost():
        out = inferer(images, network)
    assert out.shape == (2, 2, 8, 8, 3)
    with pytest.raises(AssertionError, match="waits"), _NoHost():
        float(torch.ones(()))


def test_the_text_tells_everything_that_makes_the_map() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"start_levels": (13,)},
        {"mode": "ddim"},
        {"mode": "ddim", "steps": 7},
        {"mode": "one_step"},
        {"repeats": 2},
        {"residual": "l1"},
        {"value_range": (0.0, 1.5)},
        {"seed": 1},
        {"noise": GaussianNoise(2, std=0.5)},
        {"noise": FractalSimplexNoise(2)},
        {"noise": FractalSimplexNoise(2, octaves=5)},
        {"scheduler": DDPMScheduler(num_train_timesteps=1000)},
        {"scheduler": DDPMScheduler(num_train_timesteps=1000, prediction_type="sample")},
        {"scheduler": DDPMScheduler(num_train_timesteps=1000, clip_sample=False)},
        {"scheduler": DDPMScheduler(num_train_timesteps=1000, schedule="cosine")},
    ]
    texts = [repr(_inferer(**change)) for change in changes]
    assert len(set(texts)) == len(changes)
    assert repr(_inferer(slice_batch_size=1)) == texts[0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mode": "ddpm"}, "mode='ddpm'"),
        ({"start_levels": ()}, "start_levels=.*at least one"),
        ({"start_levels": "high"}, "start_levels"),
        ({"start_levels": 250.0}, "start_levels=250.0: whole numbers"),
        ({"start_levels": [250.0]}, "start_levels=.250.0.: whole numbers"),
        ({"start_levels": None}, "start_levels=None"),
        ({"start_levels": (1,), "trained_levels": 1001}, "trained_levels=1001"),
        ({"start_levels": (0,)}, "start_levels"),
        ({"start_levels": (1001,)}, "start_levels"),
        ({"start_levels": (801,), "trained_levels": 800}, "1 and 800, which are trained"),
        ({"mode": "ddim", "start_levels": (5,), "steps": 6}, "steps=6"),
        ({"repeats": 0}, "repeats=0"),
        ({"residual": "l3"}, "residual='l3'"),
        ({"value_range": (1.0, 1.0)}, "value_range"),
        ({"noise": GaussianNoise(3)}, "3 spatial axes"),
        ({"scheduler": DDPMScheduler(num_train_timesteps=1000, variance_type="learned")}, "learned"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], match: str) -> None:
    arguments: dict[str, Any] = {"scheduler": DDPMScheduler(num_train_timesteps=1000), "noise": GaussianNoise(2)}
    with pytest.raises(ValueError, match=match):
        PartialDiffusionInferer(2, **{**arguments, **options})
