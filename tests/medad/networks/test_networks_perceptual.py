# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch
from medad.errors import InputError
from medad.networks import EncoderDistance, PerceptualDistance, SpatialLPIPS, perceptual_distance
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

# number of the layer, or what is between two layers, by stage, as the package lpips numbers SqueezeNet 1.1
STAGES = (("conv",), ("pool", 3, 4), ("pool", 6, 7), ("pool", 9), (10,), (11,), (12,))


def _lpips_state(seed: int = 0) -> dict[str, Tensor]:
    """Random weights as ``lpips.LPIPS(net="squeeze").state_dict()`` holds them, with what we do not need."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.rand(value.shape, generator=generator) if name.startswith("lin") else value.clone()
        for name, value in SpatialLPIPS().state_dict().items()
    }
    for name, value in list(state.items()):
        if name.startswith("lin"):
            state[f"{name[:3]}s.{name[3:]}"] = value
        else:
            state[name] = torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
    return {**state, "scaling_layer.shift": torch.zeros(1, 3, 1, 1), "scaling_layer.scale": torch.ones(1, 3, 1, 1)}


def _by_hand(state: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """LPIPS from its equation and the numbering of the layers."""

    def features(image: Tensor) -> list[Tensor]:
        shift, scale = (
            torch.tensor(values).view(1, 3, 1, 1) for values in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
        )
        image, given = (image.expand(-1, 3, -1, -1) - shift) / scale, []
        for number, layers in enumerate(STAGES, 1):
            for layer in layers:
                if layer == "conv":
                    name = f"net.slice{number}.0"
                    image = F.conv2d(image, state[f"{name}.weight"], state[f"{name}.bias"], stride=2).relu()
                elif layer == "pool":
                    image = F.max_pool2d(image, 3, 2, ceil_mode=True)
                else:
                    weights = {
                        part: [state[f"net.slice{number}.{layer}.{part}.{kind}"] for kind in ("weight", "bias")]
                        for part in ("squeeze", "expand1x1", "expand3x3")
                    }
                    image = F.conv2d(image, *weights["squeeze"]).relu()
                    wide = F.conv2d(image, *weights["expand3x3"], padding=1)
                    image = torch.cat([F.conv2d(image, *weights["expand1x1"]), wide], 1).relu()
            given.append(F.normalize(image, dim=1))
        return given

    total = torch.zeros_like(x[:, :1])
    for number, (one, other) in enumerate(zip(features(x), features(y), strict=True)):
        distance = F.conv2d((one - other) ** 2, state[f"lin{number}.model.1.weight"])
        total = total + F.interpolate(distance, x.shape[2:], mode="bilinear")
    return total


class _Encoder(nn.Module):
    """An encoder of one's own with two feature maps."""

    def __init__(self, spatial_dims: int, channels: int = 1) -> None:
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[spatial_dims]
        self.first, self.second = conv(channels, 4, 3, 2, 1), conv(4, 8, 3, 2, 1)
        self.norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[spatial_dims](8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.first(x).relu()
        return fine, self.norm(self.second(fine))


@pytest.fixture(scope="module")
def lpips_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lpips") / "squeeze.pt"
    torch.save(_lpips_state(), path)
    return path


@pytest.fixture
def encoder_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.jit.script(_Encoder(getattr(request, "param", 2))).save(tmp_path / "encoder.ts")
    return tmp_path / "encoder.ts"


@pytest.mark.parametrize("shape", [(2, 3, 32, 45), (1, 1, 17, 20)])
def test_lpips_as_a_map_follows_its_equation(shape: tuple[int, ...]) -> None:
    state = _lpips_state()
    x, y = torch.rand(2, *shape).mul(2).sub(1).unbind(0)
    ours = SpatialLPIPS(state)(x, y)
    assert ours.shape == (shape[0], 1, *shape[2:])
    torch.testing.assert_close(ours, _by_hand(state, x, y), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(SpatialLPIPS(state)(y, x), ours)
    assert float(ours.min()) >= 0 and not SpatialLPIPS(state)(x, x).any()


def test_lpips_has_the_parameters_of_the_package() -> None:
    assert sum(p.numel() for p in SpatialLPIPS().parameters()) == 722_496 + 2_240  # SqueezeNet 1.1 and the heads
    assert not any(p.requires_grad for p in SpatialLPIPS().parameters())


@pytest.mark.parametrize(("shape", "match"), [((1, 2, 32, 32), "(2, 32, 32)"), ((1, 1, 16, 40), "(1, 16, 40)")])
def test_images_that_squeezenet_cannot_take_are_named(shape: tuple[int, ...], match: str) -> None:
    with pytest.raises(InputError) as caught:
        SpatialLPIPS()(torch.zeros(shape), torch.zeros(shape))
    assert match in str(caught.value)


@pytest.mark.parametrize("spatial", [(12, 16), (8, 12, 8)])
def test_encoder_distance_is_the_cosine_distance_of_the_features(spatial: tuple[int, ...]) -> None:
    encoder = _Encoder(len(spatial)).eval()
    x, y = torch.randn(2, 2, 1, *spatial).unbind(0)
    expected = torch.zeros(2, 1, *spatial)
    for one, other in zip(encoder(x), encoder(y), strict=True):
        distance = (1 - F.cosine_similarity(one, other, dim=1, eps=1e-12))[:, None]
        distance = torch.where((one != 0).any(1, keepdim=True) & (other != 0).any(1, keepdim=True), distance, 0.5)
        both_silent = ~((one != 0).any(1, keepdim=True) | (other != 0).any(1, keepdim=True))
        distance = torch.where(both_silent, 0.0, distance)  # features without length: half of the largest difference
        mode = "bilinear" if len(spatial) == 2 else "trilinear"
        expected += F.interpolate(distance, spatial, mode=mode) / 2
    ours = EncoderDistance(_Encoder(len(spatial)), len(spatial))
    ours.encoder.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(ours(x, y), expected, rtol=1e-4, atol=1e-5)
    assert not ours.encoder.training  # statistics of the batch do not count


@pytest.mark.parametrize("spatial", [(20, 24), (12, 10, 9)])
def test_the_map_is_smoothed_image_by_image_and_clipped(
    spatial: tuple[int, ...], encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = torch.rand(2, 1, *spatial) * torch.tensor([0.5, 4.0]).view(2, 1, *(1,) * len(spatial))
    module, given = PerceptualDistance(encoder_path, len(spatial)), []
    monkeypatch.setattr(module.distance, "forward", lambda x, y: given.extend((x, y)) or raw)
    out = module(raw - 1, raw)
    assert torch.equal(given[0], raw - 1) and torch.equal(given[1], raw)  # fault F7: another range than the images'
    for image, ours in zip(raw[:, 0].numpy(), out[:, 0].numpy(), strict=True):
        expected = ndimage.gaussian_filter(image, 2.0, mode="nearest").clip(0, 1)
        assert abs(ours - expected).max() < 0.02  # MONAI's kernel integrates over the voxel, SciPy's samples it
    assert float(out[1].max()) == 1.0 and float(out[0].max()) < 0.6


@pytest.mark.parametrize("kind", ["lpips", "encoder"])
def test_an_image_alone_and_in_a_batch_has_the_same_distance(kind: str, lpips_path: Path, encoder_path: Path) -> None:
    """Fault F6 of the published code: the smoothing of the distance runs across batch and channels."""
    module = PerceptualDistance(lpips_path if kind == "lpips" else encoder_path, 2)
    x, y = torch.rand(2, 4, 1, 32, 32).mul(2).sub(1).unbind(0)
    whole = module(x, y)
    assert torch.equal(module(x, y), whole)
    alone = torch.cat([module(one[None], other[None]) for one, other in zip(x, y, strict=True)])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-5)
    assert not torch.allclose(whole[0], whole[1])


def test_lpips_meets_volumes_slice_by_slice(lpips_path: Path) -> None:
    x, y = torch.rand(2, 2, 1, 20, 18, 5).mul(2).sub(1).unbind(0)
    volumes, slices = PerceptualDistance(lpips_path, 3), PerceptualDistance(lpips_path, 2)
    raw = torch.stack([slices.distance(x[..., place], y[..., place]) for place in range(5)], -1)
    torch.testing.assert_close(volumes._by_slices(x, y), raw, rtol=0, atol=1e-5)
    assert volumes(x, y).shape == (2, 1, 20, 18, 5)


@pytest.mark.parametrize("encoder_path", [3], indirect=True)
def test_an_encoder_of_volumes(encoder_path: Path) -> None:
    x, y = torch.rand(2, 2, 1, 8, 12, 8).unbind(0)
    assert PerceptualDistance(encoder_path, 3)(x, y).shape == (2, 1, 8, 12, 8)


def test_half_precision_around_it_changes_nothing(lpips_path: Path) -> None:
    x, y = torch.rand(2, 1, 1, 32, 32).unbind(0)
    module = PerceptualDistance(lpips_path, 2)
    expected = module(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(module(x, y), expected)


def test_the_text_tells_the_weights_and_not_where_they_lie(
    lpips_path: Path, encoder_path: Path, tmp_path: Path
) -> None:
    copy, other = tmp_path / "copy.pt", tmp_path / "other.pt"
    copy.write_bytes(lpips_path.read_bytes())
    torch.save(_lpips_state(seed=1), other)
    text = repr(PerceptualDistance(lpips_path, 2))
    assert text == repr(PerceptualDistance(copy, 2)) and "\n" not in text
    others = [PerceptualDistance(other, 2), PerceptualDistance(encoder_path, 2), PerceptualDistance(copy, 2, sigma=1.0)]
    assert len({text, *map(repr, others)}) == 4


def test_without_a_file_there_is_no_distance_and_with_one_the_seed_of_a_training_stays(lpips_path: Path) -> None:
    before = torch.get_rng_state()
    assert perceptual_distance(None, 2) is None
    assert isinstance(perceptual_distance(lpips_path, 2), PerceptualDistance)
    assert torch.equal(torch.get_rng_state(), before)


def test_files_that_do_not_fit_are_named(lpips_path: Path, tmp_path: Path) -> None:
    state = _lpips_state()
    files = {
        "missing": None,
        "empty": b"",
        "text": b"no weights",
        "part": {name: value for name, value in state.items() if name != "lin3.model.1.weight"},
        "shape": {**state, "lin3.model.1.weight": torch.zeros(1, 9, 1, 1)},
        "code": {"lin0": object()},
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.pt"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            torch.save(content, path)
        with pytest.raises(InputError) as caught:
            PerceptualDistance(path, 2)
        assert str(path) in str(caught.value) and "TorchScript" in str(caught.value)
        if name == "part":
            assert "'lin3.model.1.weight' is missing" in str(caught.value)
    with pytest.raises(ValueError, match="sigma=0"):
        PerceptualDistance(lpips_path, 2, sigma=0)


class _Sums(nn.Module):
    """No encoder: one number per image."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((1, 2, 3))


@pytest.mark.parametrize("module", [_Encoder(2, channels=3), _Encoder(3), _Sums()], ids=["channels", "axes", "sums"])
def test_an_encoder_that_does_not_fit_is_named(module: nn.Module, tmp_path: Path) -> None:
    torch.jit.script(module).save(tmp_path / "encoder.ts")
    distance = PerceptualDistance(tmp_path / "encoder.ts", 2)
    with pytest.raises(InputError, match=r"no feature maps of images of shape \(2, 1, 16, 16\)"):
        distance(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
