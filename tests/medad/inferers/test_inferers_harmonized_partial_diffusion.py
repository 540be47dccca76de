# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from medad.inferers import HarmonizedPartialDiffusionInferer, PartialDiffusionInferer, harmonized_partial_diffusion
from medad.networks import DiffusionUNet
from medad.noise import FractalSimplexNoise, GaussianNoise
from monai.data import MetaTensor
from monai.networks.schedulers import DDPMScheduler
from scipy import ndimage
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

MODES: dict[str, dict[str, Any]] = {
    "ancestral": {"start_levels": (12,), "harmonization_levels": (9, 4), "map_interval": 3},
    "ddim": {"start_levels": (200,), "harmonization_levels": (150, 100, 30), "map_interval": 50, "steps": 5},
}
GRID = [200, 160, 150, 120, 100, 80, 50, 40, 30]  # what "ddim" visits: five steps, and the levels of the maps
SPATIAL = [(8, 12), (8, 4, 6)]
BETAS = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
SHARES = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - BETAS, 0)])  # by level


def _scheduler(**options: Any) -> DDPMScheduler:
    return DDPMScheduler(num_train_timesteps=1000, **options)


def _inferer(mode: str = "ddim", spatial_dims: int = 2, **options: Any) -> HarmonizedPartialDiffusionInferer:
    arguments = {"scheduler": _scheduler(), "noise": GaussianNoise(spatial_dims), "mask_kernel_size": 3}
    return HarmonizedPartialDiffusionInferer(spatial_dims, mode=mode, **{**arguments, **MODES[mode], **options})


def _network(spatial_dims: int = 2, channels: int = 1) -> DiffusionUNet:
    network = DiffusionUNet(spatial_dims, channels, channels, (8, 8), (False, True), 1, norm_groups=4)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


class _Recorder:
    """Noise that remembers what it gave."""

    def __init__(self, spatial_dims: int) -> None:
        self.spatial_dims = spatial_dims
        self.fields: list[Tensor] = []

    def __call__(
        self, images: Tensor, seeds: Tensor, times: Tensor | None = None, origin: Sequence[int] | None = None
    ) -> Tensor:
        self.fields.append(GaussianNoise(self.spatial_dims)(images, seeds))
        return self.fields[-1]


class _Oracle(nn.Module):
    """Knows the images, in the range of the network, and so the noise; remembers what it was asked."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images
        self.asked: list[tuple[int, Tensor]] = []

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        level = int(timesteps[0]) + 1
        self.asked.append((level, x))
        share = float(SHARES[level])
        return (x - share**0.5 * self.images) / (1 - share) ** 0.5


class _Says(nn.Module):
    """A network that always gives the same answer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return self.answer.expand(len(x), *self.answer.shape[1:])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 3.0)])
def test_with_an_oracle_the_chain_stays_exact_across_harmonizations(
    mode: str, spatial: tuple[int, ...], value_range: tuple[float, float]
) -> None:
    """Fault F5 of the published code: the state gets the noise of a level that the next step does not ask for."""
    low, high = value_range
    images = low + (high - low) * torch.rand(3, 2, *spatial)
    inside = 2 * (images - low) / (high - low) - 1
    oracle, noise = _Oracle(inside), _Recorder(len(spatial))
    out = _inferer(mode, len(spatial), value_range=value_range, noise=noise)(images, oracle)
    torch.testing.assert_close(out[:, 1:], images, rtol=0, atol=2e-5 * (high - low))
    assert out.shape == (3, 3, *spatial) and float(out[:, 0].max()) < 2e-5 * (high - low)
    levels = list(range(12, 0, -1)) if mode == "ancestral" else GRID
    assert [level for level, _ in oracle.asked] == levels
    harmonized = {following for level, following in pairwise(levels) if level in (9, 4)}
    for level, state in oracle.asked:
        if mode == "ddim" or level == levels[0] or level in harmonized:  # where no fresh noise was drawn
            expected = SHARES[level].sqrt() * inside + (1 - SHARES[level]).sqrt() * noise.fields[0]
            torch.testing.assert_close(state, expected.float(), rtol=0, atol=1e-4)


def _by_hand(images: Tensor, network: nn.Module, fields: list[Tensor], weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The method as the paper describes it, for one channel, with SciPy, level by level from 12."""
    cube = (3,) * (images.ndim - 2)
    x, fields = 2 * images.double() - 1, [field.double() for field in fields]
    kept, fresh = fields[0], iter(fields[1:])
    state, maps = SHARES[12].sqrt() * x + (1 - SHARES[12]).sqrt() * kept, []

    def anomaly(clean: Tensor) -> np.ndarray:
        return ((clean - x).abs() / 2 * weight).numpy()

    for level in range(12, 0, -1):
        here, below, beta = SHARES[level], SHARES[level - 1], BETAS[level - 1]
        answer = network(state.float(), torch.full((len(x),), level - 1)).double()
        clean = ((state - (1 - here).sqrt() * answer) / here.sqrt()).clamp(-1, 1)
        mean = below.sqrt() * beta / (1 - here) * clean + (1 - beta).sqrt() * (1 - below) / (1 - here) * state
        state = mean + (beta * (1 - below) / (1 - here)).sqrt() * next(fresh) if level > 1 else mean
        if level in (12, 9, 6, 4, 3):
            maps.append(anomaly(clean))
        if level in (9, 4):
            masks = []
            for image in maps[-1][:, 0]:
                share = image / image.max()
                closed = ndimage.grey_closing(share, size=cube, mode="nearest")
                masks.append(np.clip((ndimage.grey_dilation(closed, size=cube, mode="nearest") + share) / 2, 0, 1))
            mask = torch.from_numpy(np.stack(masks)[:, None])
            state = below.sqrt() * (mask * clean + (1 - mask) * x) + (1 - below).sqrt() * kept
    maps.append(anomaly(state))
    stack = np.stack(maps)
    return len(stack) / (1 / (stack + 1e-6)).sum(0) - 1e-6, ((state + 1) / 2).numpy()


@pytest.mark.parametrize("spatial", SPATIAL)
def test_the_whole_method_equals_the_description_step_by_step(spatial: tuple[int, ...]) -> None:
    images, network = torch.rand(2, 1, *spatial), _network(len(spatial))
    weight = torch.rand(2, 1, *spatial)
    noise = _Recorder(len(spatial))
    inferer = _inferer("ancestral", len(spatial), noise=noise, perceptual=lambda clean, x: weight)
    with torch.no_grad():
        out = inferer(images, network)
        anomaly_map, reconstruction = _by_hand(images, network, noise.fields, weight)
    np.testing.assert_allclose(out[:, 1:], reconstruction, rtol=0, atol=1e-4)
    np.testing.assert_allclose(out[:, :1], anomaly_map, rtol=0, atol=1e-4)
    assert float(out[:, 0].max()) > 0.05


@pytest.mark.parametrize("spatial", [(24, 24), (16, 16, 12)])
def test_a_region_that_agrees_comes_back_exactly(spatial: tuple[int, ...]) -> None:
    """Fault F2 of the published code: the original is clamped to [0, 1] in the range [-1, 1], so that dark turns gray.

    The network is right everywhere but in a lesion; the last step is one that is harmonized.
    """
    images = torch.randint(0, 65, (2, 1, *spatial)) / 64  # values that both ranges hold exactly
    answer = 2 * images - 1
    lesion = (slice(None), slice(None), *(slice(2, 5) for _ in spatial))
    answer[lesion] = -answer[lesion]
    inferer = _inferer(
        "ddim",
        len(spatial),
        scheduler=_scheduler(prediction_type="sample"),
        harmonization_levels=(40,),
        map_interval=200,
    )
    out = inferer(images, _Says(answer))
    far = torch.ones(spatial, dtype=torch.bool)
    far[tuple(slice(0, 8) for _ in spatial)] = False  # the kernel reaches two voxels farther than the lesion
    assert torch.equal(out[:, 1:][..., far], images[..., far]) and float(images[..., far].min()) < 0.5
    assert float(out[:, :1][..., far].max()) == 0.0
    # without harmonization the network has the last word, and far away it is the same here
    plain = _inferer("ddim", len(spatial), scheduler=_scheduler(prediction_type="sample"), harmonization_levels=())
    assert torch.equal(plain(images, _Says(answer))[:, 1:], (answer + 1) / 2)


def test_harmonization_keeps_what_a_network_without_memory_would_lose() -> None:
    """A network that predicts gray everywhere: what differs most is redrawn, the rest comes back in part."""
    images = torch.full((1, 1, 16, 16), 0.5)
    images[..., 4:8, 4:8] = 0.6
    images[..., 12:, 12:] = 1.0
    gray = _Says(torch.zeros(1, 1, 16, 16))
    options = {"scheduler": _scheduler(prediction_type="sample"), "mask_kernel_size": 1, "map_interval": 200}
    kept = _inferer(harmonization_levels=(40,), **options)(images, gray)[0, 1]
    assert float(kept[13, 13]) == pytest.approx(0.5)  # the largest difference: mask 1
    assert float(kept[5, 5]) == pytest.approx(0.6 - 0.1 * 0.2)  # a fifth of it: mask 0.2


@pytest.mark.parametrize("spatial", SPATIAL)
def test_without_harmonization_the_chain_is_plain_partial_diffusion(spatial: tuple[int, ...]) -> None:
    images, network = torch.rand(2, 2, *spatial), _network(len(spatial), channels=2)
    ours = _inferer("ddim", len(spatial), harmonization_levels=(), map_interval=40)
    plain = PartialDiffusionInferer(len(spatial), _scheduler(), GaussianNoise(len(spatial)), (200,), "ddim", steps=5)
    with torch.no_grad():
        out, expected = ours(images, network), plain(images, network)
    torch.testing.assert_close(out[:, 1:], expected[:, 1:])
    assert bool((out[:, :1] <= (images - out[:, 1:]).abs().mean(1, keepdim=True) * 6 + 1e-5).all())


@pytest.mark.parametrize("mode", MODES)
def test_the_end_result_counts_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prediction of the last step is the end result, unless it is harmonized."""
    counted: list[int] = []
    real = harmonized_partial_diffusion.harmonic_mean

    def count(maps: Tensor, eps: float) -> Tensor:
        counted.append(maps.shape[1])
        return real(maps, eps)

    monkeypatch.setattr(harmonized_partial_diffusion, "harmonic_mean", count)
    for levels in ((), (1,)):
        options = {"start_levels": (4,), "harmonization_levels": levels, "map_interval": 1, "steps": 4}
        _inferer(mode, **options)(torch.rand(1, 1, 8, 8), _network(2))
    assert counted == [4, 5]


def test_levels_between_the_steps_are_visited() -> None:
    images = torch.rand(1, 1, 8, 8)
    for options, levels in (
        ({}, GRID),
        ({"harmonization_levels": "150, 30"}, [200, 160, 150, 120, 100, 80, 50, 40, 30]),
        ({"harmonization_levels": (), "map_interval": 500}, [200, 160, 120, 80, 40]),
        ({"start_levels": (40,)}, [40, 32, 30, 24, 16, 8]),
        ({"start_levels": (50, 100), "harmonization_levels": (75,), "steps": 1}, [50, 100, 75, 50]),
    ):
        oracle = _Oracle(2 * images - 1)
        _inferer("ddim", **options)(images, oracle)
        assert [level for level, _ in oracle.asked] == levels


def _stripes(clean: Tensor, images: Tensor) -> Tensor:
    """A distance that looks at neighbors within an image and at nothing else."""
    both = torch.cat([clean, images], dim=1).mean(1, keepdim=True)
    return (both - both.roll(1, -1)).abs().clamp(0, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_an_image_alone_and_in_a_batch_has_the_same_map(mode: str, spatial: tuple[int, ...]) -> None:
    """Fault F6 of the published code: smoothing runs across batch and channels, the maximum is that of the batch."""
    images, network = torch.rand(4, 1, *spatial), _network(len(spatial))
    images[1] *= 0.1
    inferer = _inferer(mode, len(spatial), repeats=2, perceptual=_stripes)
    with torch.no_grad():
        whole = inferer(images, network)
        assert torch.equal(whole, inferer(images, network))  # nothing is drawn from a state
        order = torch.tensor([2, 0, 3, 1])
        alone = torch.cat([inferer(image[None], network) for image in images])
        for part in (alone, inferer(images[order], network)[order.argsort()]):
            torch.testing.assert_close(part, whole, rtol=0, atol=1e-5)
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize("mode", MODES)
def test_slices_of_volumes_are_batched_and_have_noise_of_their_own(mode: str) -> None:
    volumes, network = torch.rand(2, 1, 8, 8, 5), _network()
    with torch.no_grad():
        whole = _inferer(mode)(volumes, network)
        assert whole.shape == (2, 2, 8, 8, 5)
        for size in (1, 3, 7):
            torch.testing.assert_close(
                _inferer(mode, slice_batch_size=size)(volumes, network), whole, rtol=0, atol=1e-5
            )
        first = _inferer(mode)(volumes[..., 0], network)
        torch.testing.assert_close(first, whole[..., 0], rtol=0, atol=1e-5)
        same = _inferer(mode)(volumes[:, :, :, :, :1].expand(-1, -1, -1, -1, 3), network)
    assert not torch.allclose(same[..., 0], same[..., 1])


def test_runs_are_averaged() -> None:
    images, network = torch.rand(2, 1, 8, 8), _network()
    options: dict[str, Any] = {"harmonization_levels": (60, 30), "map_interval": 20, "steps": 3}
    with torch.no_grad():
        each = [_inferer(start_levels=(level,), **options)(images, network) for level in (60, 100)]
        both = _inferer(start_levels="60, 100", **options)(images, network)
        torch.testing.assert_close(both, torch.stack(each).mean(0), rtol=1e-5, atol=1e-6)
        twice = _inferer(start_levels=(60,), repeats=2, **options)(images, network)
    assert not torch.allclose(twice, each[0])


def test_the_perceptual_distance_gets_the_range_of_the_network() -> None:
    """Fault F7 of the published code: it gets images of [-1, 1] and is told that they are of [0, 1]."""
    images = torch.rand(2, 1, 8, 8) * 1.5
    seen: list[tuple[Tensor, Tensor]] = []

    def distance(clean: Tensor, original: Tensor) -> Tensor:
        seen.append((clean, original))
        return torch.ones_like(clean[:, :1])

    with torch.no_grad():
        _inferer("ddim", value_range=(0.0, 1.5), perceptual=distance)(images, _network())
    assert len(seen) == 5 + 1  # levels 200, 150, 100, 50 and 30, and the end result
    for clean, original in seen:
        assert -1 <= float(clean.min()) < -0.5 and 0.5 < float(clean.max()) <= 1
        torch.testing.assert_close(original, images / 0.75 - 1)


def test_the_perceptual_distance_weights_map_and_mask() -> None:
    images, network = torch.rand(1, 1, 8, 8), _network()

    def outside(clean: Tensor, original: Tensor) -> Tensor:
        return (torch.arange(8) < 2).float().expand(1, 1, 8, 8)

    with torch.no_grad():
        out = _inferer(perceptual=outside, mask_kernel_size=1, harmonization_levels=(40,), map_interval=200)(
            images, network
        )
    assert float(out[:, :1, :, 2:].max()) == 0.0 and float(out[:, :1, :, :2].min()) > 0
    torch.testing.assert_close(out[:, 1:, :, 2:], images[..., 2:])


def test_map_and_reconstruction_are_in_the_range_of_the_images() -> None:
    images = torch.full((1, 2, 4, 4), 1.5)
    network = _Says(torch.zeros(1, 2, 4, 4))  # the middle of the range: 2 of [1, 3]
    for residual, value in (("l1", 0.5), ("l2", 0.25), (lambda x, y: (x * y).mean(1, keepdim=True), 3.0)):
        out = _inferer(
            scheduler=_scheduler(prediction_type="sample"),
            value_range=(1.0, 3.0),
            residual=residual,
            mask_kernel_size=1,
        )(images, network)
        torch.testing.assert_close(out[:, :1], torch.full((1, 1, 4, 4), value))
        torch.testing.assert_close(out[:, 1:], torch.full((1, 2, 4, 4), 2.0))


@pytest.mark.parametrize("kind", [GaussianNoise, FractalSimplexNoise])
@pytest.mark.parametrize("mode", MODES)
def test_three_channels_and_metadata(kind: Any, mode: str) -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    with torch.no_grad():
        out = _inferer(mode, noise=kind(2))(MetaTensor(torch.rand(1, 3, 8, 8, 3), affine=affine), _network(channels=3))
    assert out.shape == (1, 4, 8, 8, 3) and out.isfinite().all() and float(out[:, 0].min()) >= 0
    assert isinstance(out, MetaTensor) and torch.equal(out.affine, affine.to(out.affine))


class _NoHost(TorchDispatchMode):
    """Refuse what brings a number from a tensor to Python: a GPU would have to wait."""

    WAITING = ("aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal", "aten.is_nonzero", "aten.unique")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not str(function).startswith(self.WAITING), f"{function} waits for the device"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", MODES)
def test_the_host_never_waits_for_the_device(mode: str) -> None:
    images, network, inferer = torch.rand(2, 1, 8, 8, 3), _network(), _inferer(mode)
    with torch.no_grad(), _NoHost():
        assert inferer(images, network).shape == (2, 2, 8, 8, 3)


def test_the_text_tells_everything_that_makes_the_map() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"mode": "ancestral"},
        {"start_levels": (201,)},
        {"harmonization_levels": (150,)},
        {"harmonization_levels": ()},
        {"map_interval": 49},
        {"mask_kernel_size": 5},
        {"perceptual": nn.Identity()},
        {"eps": 1e-3},
        {"steps": 7},
        {"repeats": 2},
        {"residual": "l2"},
        {"value_range": (0.0, 1.5)},
        {"seed": 1},
        {"noise": FractalSimplexNoise(2)},
        {"scheduler": _scheduler(prediction_type="sample")},
    ]
    texts = [repr(_inferer(**change)) for change in changes]
    assert len(set(texts)) == len(changes)
    same: list[dict[str, Any]] = [
        {"slice_batch_size": 1},
        {"harmonization_levels": "30, 100, 150"},
        {"harmonization_levels": [150, 100, 30, 30]},
    ]
    assert {repr(_inferer(**change)) for change in same} == {texts[0]}
    assert repr(_inferer(harmonization_levels=" ")) == texts[4]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mode": "one_step"}, r"mode='one_step': must be one of \('ancestral', 'ddim'\)"),
        ({"start_levels": ()}, "start_levels"),
        ({"start_levels": (29,)}, r"harmonization_levels=\[150, 100, 30\]: all lie above .* 29"),
        ({"harmonization_levels": (0,)}, "harmonization_levels"),
        ({"harmonization_levels": (801,), "trained_levels": 800}, "between 1 and 800, which are trained"),
        ({"harmonization_levels": "all"}, "harmonization_levels='all'"),
        ({"map_interval": 0}, "map_interval=0"),
        ({"mask_kernel_size": 4}, "mask_kernel_size=4"),
        ({"mask_kernel_size": -1}, "mask_kernel_size=-1"),
        ({"eps": 0.0}, "eps=0.0"),
        ({"steps": 201}, "steps=201"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], match: str) -> None:
    arguments: dict[str, Any] = {"scheduler": _scheduler(), "noise": GaussianNoise(2), "mode": "ddim", **MODES["ddim"]}
    with pytest.raises(ValueError, match=match):
        HarmonizedPartialDiffusionInferer(2, **{**arguments, **options})
