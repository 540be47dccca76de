# SPDX-License-Identifier: Apache-2.0
"""What the inferer promises where the published code went wrong: faults F1 to F3, F6, F9 and F10."""

import itertools
import math
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.inferers import GuidedDDIMInferer
from medad.networks import ClassConditionalUNet, DiffusionClassifier, DiffusionUNet, GuidedDiffusion
from monai.data import MetaTensor
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

SPATIAL = [(8, 12), (8, 4, 6)]
KINDS = ["classifier", "classifier_free"]
TINY: dict[str, Any] = {"channels": (8, 8), "attention_levels": (False, True), "num_res_blocks": 1, "norm_groups": 4}
STD = 0.4


def _inferer(spatial_dims: int = 2, clip: bool = False, **options: Any) -> GuidedDDIMInferer:
    arguments = {"level": 400, "steps": 3, "guidance_scale": 4.0, **options}
    return GuidedDDIMInferer(spatial_dims, DDPMScheduler(num_train_timesteps=1000, clip_sample=clip), **arguments)


def _network(kind: str = "classifier", spatial_dims: int = 2, channels: int = 1) -> nn.Module:
    unet = (spatial_dims, channels, channels)
    network: nn.Module
    if kind == "classifier":
        classifier = DiffusionClassifier(spatial_dims, channels, **TINY)
        network = GuidedDiffusion(DiffusionUNet(*unet, num_heads=1, **TINY), classifier)
    else:
        network = ClassConditionalUNet(*unet, num_heads=1, **TINY)
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


class _Gaussian(nn.Module):
    """The best network for independent normal pixels around ``center``; bright images count as abnormal."""

    def __init__(self, center: float = 0.0, normal_center: float = -0.5, brightness: float = 40.0) -> None:
        super().__init__()
        self.shares = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0)
        self.center, self.normal_center, self.brightness = center, normal_center, brightness

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return self._noise(x, timesteps, self.center)

    def predict_normal(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return self._noise(x, timesteps, self.normal_center)

    def classify(self, x: Tensor, timesteps: Tensor) -> Tensor:
        mean = x.flatten(1).mean(1)
        return torch.stack([torch.zeros_like(mean), self.brightness * mean], 1)

    def _noise(self, x: Tensor, timesteps: Tensor, center: float) -> Tensor:
        share = float(self.shares[timesteps[0]])
        clean = center + share**0.5 * STD**2 / (share * STD**2 + 1 - share) * (x - share**0.5 * center)
        return (x - share**0.5 * clean) / (1 - share) ** 0.5


class _Dense(nn.Module):
    """Mixes pixels and depends on the level; remembers which timesteps it was asked for."""

    def __init__(self, channels: int, spatial: tuple[int, ...]) -> None:
        super().__init__()
        shape = (channels, *spatial)
        self.mix = nn.Linear(math.prod(shape), math.prod(shape), dtype=torch.float64)
        self.judge = nn.Linear(math.prod(shape), 2, dtype=torch.float64)
        self.asked: list[tuple[str, int]] = []

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.asked.append(("diffusion", int(timesteps[0])))
        return torch.tanh(self.mix(x.double().flatten(1)) + timesteps[:, None] / 500).reshape(x.shape).to(x.dtype)

    def predict_normal(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return 0.9 * self(x, timesteps) + 0.05

    def classify(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.asked.append(("classifier", int(timesteps[0])))
        return self.judge(torch.sin(3 * x.double()).flatten(1)) + timesteps[:, None] / 700

    def log_normal_gradient(self, x: Tensor, level: int) -> Tensor:
        """Jacobian of log p(normal), image by image."""
        logit = lambda one: torch.log_softmax(self.classify(one[None], torch.tensor([level - 1])), 1)[0, 0]  # noqa: E731
        return torch.stack([torch.autograd.functional.jacobian(logit, one) for one in x])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("spatial", [(3, 4), (3, 2, 4)])
def test_the_whole_method_equals_the_description_step_by_step(kind: str, clip: bool, spatial: tuple[int, ...]) -> None:
    """Algorithm 1 in double precision. Fault F1: a state that is read at another level than its own."""
    torch.manual_seed(1)
    images, network, scale, grid = 1.5 * torch.rand(2, 2, *spatial), _Dense(2, spatial), 7.0, [0, 100, 200, 300, 400]
    options = {"steps": 4, "guidance": kind, "guidance_scale": scale, "value_range": (0.0, 1.5)}
    with torch.no_grad():
        found = _inferer(len(spatial), clip=clip, **options)(images, network)
    asked = list(network.asked)

    share = torch.cat([torch.ones(1), torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0)])

    def split(state: Tensor, level: int, noise: Tensor) -> tuple[Tensor, Tensor]:
        clean = (state - (1 - share[level]).sqrt() * noise) / share[level].sqrt()
        clean = clean.clamp(-1, 1) if clip else clean
        return clean, (state - share[level].sqrt() * clean) / (1 - share[level]).sqrt()

    state = images.double() / 0.75 - 1
    with torch.no_grad():
        for level, above in itertools.pairwise(grid):
            asked_at = max(level, 1)
            clean, noise = split(state, asked_at, network(state, torch.full((2,), asked_at - 1)))
            clean = clean if level else state
            state = share[above].sqrt() * clean + (1 - share[above]).sqrt() * noise
        for level, below in itertools.pairwise(grid[::-1]):
            _, noise = split(state, level, network(state, torch.full((2,), level - 1)))
            if kind == "classifier":
                noise = noise - scale * (1 - share[level]).sqrt() * network.log_normal_gradient(state, level)
            else:
                _, normal = split(state, level, network.predict_normal(state, torch.full((2,), level - 1)))
                noise = noise + scale * (normal - noise)
            clean = (state - (1 - share[level]).sqrt() * noise) / share[level].sqrt()
            state = share[below].sqrt() * clean + (1 - share[below]).sqrt() * noise
    expected = 0.75 * (state + 1)
    torch.testing.assert_close(found[:, 1:].double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        found[:, :1].double(), (images - expected).abs().sum(1, keepdim=True), rtol=1e-4, atol=2e-4
    )
    assert asked[:4] == [("diffusion", step) for step in (0, 99, 199, 299)]  # the way up is not guided
    if kind == "classifier":
        down = [(name, step) for step in (399, 299, 199, 99) for name in ("classifier", "diffusion")]
        assert asked[4:] == down


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spatial", SPATIAL)
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 3.0)])
def test_without_guidance_the_image_comes_back(
    kind: str, spatial: tuple[int, ...], value_range: tuple[float, float]
) -> None:
    """Faults F1 and F3: other levels up than down; a clamp in another range than the images."""
    low, high = value_range
    images = low + (high - low) * torch.rand(3, 2, *spatial)
    errors = []
    for steps in (10, 40, 400):
        options = {"guidance": kind, "guidance_scale": 0.0, "value_range": value_range, "steps": steps}
        out = _inferer(len(spatial), **options)(images, _Gaussian())
        assert out.shape == (3, 3, *spatial)
        errors.append(float(out[:, 0].max()) / (high - low))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01


def test_limits_of_the_clean_image_lie_where_the_range_of_the_images_does() -> None:
    """Fault F3: data in [0, 1] and a clamp to [-1, 1]. Images that fill their range are not cut."""
    images = torch.tensor([0.0, 0.01, 0.75, 1.49, 1.5]).expand(1, 1, 5, 5)
    out = _inferer(clip=True, guidance_scale=0.0, value_range=(0.0, 1.5), level=100, steps=100)(images, _Gaussian())
    assert float(out[:, 0].max()) < 0.02
    outside = _inferer(clip=True, guidance_scale=0.0, value_range=(0.0, 0.5), level=100, steps=100)
    assert float(outside(images, _Gaussian())[:, 0].max()) > 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_nothing_is_drawn_and_other_images_do_not_matter(kind: str, spatial: tuple[int, ...]) -> None:
    """Fault F2: noise at the start."""
    images, network = torch.rand(3, 1, *spatial), _network(kind, len(spatial))
    inferer = _inferer(len(spatial), guidance=kind)
    state = torch.get_rng_state()
    whole = inferer(images, network)
    assert torch.equal(whole, inferer(images, network)) and torch.equal(state, torch.get_rng_state())
    order = torch.tensor([2, 0, 1])
    alone = torch.cat([inferer(image[None], network) for image in images])
    for part in (alone, inferer(images[order], network)[order.argsort()]):
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-5 * max(1.0, float(whole.abs().max())))
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize("kind", KINDS)
def test_slices_of_volumes_are_images(kind: str) -> None:
    volumes, network = torch.rand(2, 1, 8, 8, 3), _network(kind)
    whole = _inferer(guidance=kind)(volumes, network)
    assert whole.shape == (2, 2, 8, 8, 3)
    for size in (1, 4):
        part = _inferer(guidance=kind, slice_batch_size=size)(volumes, network)
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-5 * max(1.0, float(whole.abs().max())))
    single = _inferer(guidance=kind)(volumes[..., 2], network)
    torch.testing.assert_close(single, whole[..., 2], rtol=0, atol=1e-5 * max(1.0, float(whole.abs().max())))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spatial", SPATIAL)
def test_guidance_leads_to_normal_the_more_the_larger_its_scale(kind: str, spatial: tuple[int, ...]) -> None:
    """Fault F6: labels the other way round. 0 is normal: p(abnormal) falls, and images become darker here."""
    network, images = _Gaussian(), torch.rand(3, 1, *spatial)
    found = []
    for scale in (0.0, 0.25, 0.5, 1.0, 2.0):
        out = _inferer(len(spatial), guidance=kind, guidance_scale=scale, steps=20)(images, network)
        found.append(network.classify(2 * out[:, 1:] - 1, torch.zeros(3)).softmax(1)[:, 1])
    assert (torch.stack(found).diff(dim=0) < 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [{"level": 300}, {"steps": 2}, {"guidance_scale": 8.0}])
def test_every_setting_changes_the_map(kind: str, change: dict[str, Any]) -> None:
    """Fault F10: a level that is ignored."""
    images, network = torch.rand(2, 1, 8, 8), _network(kind)
    base, other = _inferer(guidance=kind), _inferer(guidance=kind, **change)
    assert not torch.allclose(base(images, network), other(images, network)) and repr(base) != repr(other)


@pytest.mark.parametrize(("residual", "power"), [("l1", 1), ("l2", 2)])
def test_map_is_the_sum_over_channels_on_one_scale(residual: str, power: int) -> None:
    """Fault F9: a map that is stretched between the extremes of each image."""
    images = torch.rand(2, 4, 8, 8)
    out = _inferer(residual=residual)(images, _network(channels=4))
    expected = (images - out[:, 1:]).abs().pow(power).sum(1)
    torch.testing.assert_close(out[:, 0], expected)
    bright = images.clone()
    bright[:, :, 0, 0] = 1.0
    bright[0, :, 0, 0] = 3.0
    pixels = _Gaussian(brightness=0.0)  # each pixel for itself
    maps = [_inferer(steps=4, residual=residual)(each, pixels)[:, 0] for each in (images, bright)]
    torch.testing.assert_close(maps[0][:, 1:], maps[1][:, 1:])
    assert float(maps[1][0, 0, 0]) > float(maps[0].max())


def test_a_residual_of_your_own_is_taken_as_it_is() -> None:
    def twice(reconstruction: Tensor, images: Tensor) -> Tensor:
        return 2 * (images - reconstruction).abs().amax(1, keepdim=True)

    images = torch.rand(2, 3, 8, 8)
    out = _inferer(residual=twice)(images, _network(channels=3))
    torch.testing.assert_close(out[:, :1], twice(out[:, 1:], images))


def test_mixed_precision_leaves_the_gradient_in_float32() -> None:
    network, types = _network(), {"diffusion": set(), "classifier": set()}
    for name, seen in types.items():
        getattr(network, name).conv_in.register_forward_hook(lambda *call, seen=seen: seen.add(call[2].dtype))
    images = torch.rand(2, 1, 8, 8)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = _inferer()(images, network)
    assert types == {"diffusion": {torch.bfloat16}, "classifier": {torch.float32}}
    assert out.dtype == torch.float32 and out.isfinite().all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off_and_leaves_none(mode: Any) -> None:
    network, images = _network(), torch.rand(1, 1, 8, 8)
    expected = _inferer()(images, network)
    with mode():
        out = _inferer()(MetaTensor(images.clone()), network)
    assert isinstance(out, MetaTensor) and torch.equal(out.as_tensor(), expected.detach())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 0}, "level=0"),
        ({"level": 1001}, "level=1001"),
        ({"level": 501, "trained_levels": 500}, "1 and 500, which are trained"),
        ({"steps": 0}, "steps=0"),
        ({"steps": 401}, "steps=401"),
        ({"level": 400.0}, "level=400.0: a whole number"),
        ({"level": 1500, "trained_levels": 2000}, "trained_levels=2000: must lie in"),
        ({"trained_levels": 0}, "trained_levels=0"),
        ({"guidance_scale": -1.0}, "guidance_scale=-1"),
        ({"guidance_scale": math.nan}, "guidance_scale=nan"),
        ({"guidance_scale": math.inf}, "guidance_scale=inf"),
        ({"guidance": "magic"}, "guidance='magic'"),
        ({"residual": "l3"}, "residual='l3'"),
        ({"value_range": (1.0, 0.0)}, "value_range"),
        ({"spatial_dims": 1}, "spatial_dims=1"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _inferer(**options)


@pytest.mark.parametrize(("kind", "method"), [("classifier", "classify"), ("classifier_free", "predict_normal")])
def test_a_network_of_the_other_kind_is_named(kind: str, method: str) -> None:
    other = _network(next(each for each in KINDS if each != kind))
    with pytest.raises(InputError, match=f"has no method {method}"):
        _inferer(guidance=kind)(torch.rand(1, 1, 8, 8), other)
