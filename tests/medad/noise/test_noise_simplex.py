# SPDX-License-Identifier: Apache-2.0
"""Fractal simplex noise: tiles, seeds, distribution."""

import numpy as np
import pytest
import torch
from medad.noise import FractalSimplexNoise, Noise
from torch import Tensor


def _noise(dims: int, time_axis: bool = True, **arguments: object) -> FractalSimplexNoise:
    return FractalSimplexNoise(dims, time_axis=time_axis, frequency=16.0, octaves=3, **arguments)


FORMS = [(2, True), (2, False), (3, True), (3, False)]


@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_tile_is_the_region_of_the_whole(dims: int, time_axis: bool) -> None:
    noise = _noise(dims, time_axis, spacing=tuple([1.0, 0.5, 3.0][:dims]))
    seeds, times = torch.tensor([3, 4]), torch.tensor([0.0, 7.5])
    whole = noise(torch.zeros(2, 2, *[40, 33, 17][:dims]), seeds, times)
    tile = noise(torch.zeros(2, 2, *[7, 19, 5][:dims]), seeds, times, origin=[11, 6, 9][:dims])
    region = (slice(11, 18), slice(6, 25), slice(9, 14))[:dims]
    assert torch.equal(tile, whole[(..., *region)])


def test_non_square_image_is_the_crop_of_a_square_one() -> None:
    # AnoDDPM fault F5: its buffer was indexed by the size of the wrong axis
    noise, seeds = _noise(2), torch.tensor([5])
    assert torch.equal(noise(torch.zeros(1, 1, 32, 48), seeds), noise(torch.zeros(1, 1, 48, 48), seeds)[:, :, :32])


@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_samples_have_their_own_fields(dims: int, time_axis: bool) -> None:
    # AnoDDPM faults F1 and F2: mixed times failed, and one field served the batch
    noise, images = _noise(dims, time_axis), torch.zeros(4, 1, *(24,) * dims)
    seeds, times = torch.tensor([1, 2, 3, 4]), torch.tensor([0.0, 10.0, 250.0, 799.0])
    fields = noise(images, seeds, times)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(noise(images, seeds[order], times[order]), fields[order])
    for index in range(4):
        alone = noise(images[:1], seeds[index : index + 1], times[index : index + 1])
        assert torch.equal(alone[0], fields[index])
    assert torch.corrcoef(fields.flatten(1)).fill_diagonal_(0).abs().max() < 0.5


@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_octaves_have_their_own_fields(dims: int, time_axis: bool) -> None:
    # the published octaves share one table: the second is the first at half its size
    def fields(octaves: int, frequency: float) -> Tensor:
        noise = FractalSimplexNoise(dims, octaves, frequency=frequency, time_axis=time_axis)
        return noise(torch.zeros(8, 1, *(48,) * dims), torch.arange(8), torch.full((8,), 5.0)).flatten()

    second = fields(2, 16.0) - fields(1, 16.0)
    assert abs(float(torch.corrcoef(torch.stack([second, fields(1, 8.0)]))[0, 1])) < 0.2  # 1 if they shared a seed


def test_seed_zero_reproduces_and_leaves_global_state() -> None:
    # AnoDDPM fault F6: seed 0 drew another seed, from the global generator of NumPy
    state = torch.get_rng_state()
    np.random.seed(5)  # noqa: NPY002  # the global generator is what is tested
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    noise, seeds = _noise(2), torch.tensor([0])
    assert torch.equal(noise(torch.zeros(1, 1, 32, 32), seeds), noise(torch.zeros(1, 1, 32, 32), seeds))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.rand() == expected  # noqa: NPY002


def test_parameters_change_the_field() -> None:
    # AnoDDPM fault F4: chosen parameters were overwritten by the default
    images, seeds = torch.zeros(8, 1, 64, 64), torch.arange(8)

    def roughness(noise: FractalSimplexNoise) -> float:
        field = noise(images, seeds)
        return float(field.diff(dim=-1).std() / field.std())

    assert roughness(FractalSimplexNoise(2, octaves=6)) > 2 * roughness(FractalSimplexNoise(2, octaves=2))
    assert roughness(FractalSimplexNoise(2, frequency=16.0)) > roughness(FractalSimplexNoise(2, frequency=64.0))
    assert roughness(FractalSimplexNoise(2, persistence=0.9)) > roughness(FractalSimplexNoise(2, persistence=0.5))


@pytest.mark.parametrize(("dims", "size", "low", "high"), [(2, 256, 0.48, 0.53), (3, 32, 0.36, 0.53)])
def test_distribution_of_the_published_noise(dims: int, size: int, low: float, high: float) -> None:
    noise = FractalSimplexNoise(dims)
    fields = noise(torch.zeros(12, 1, *(size,) * dims), torch.arange(12) + 100)
    assert low < fields.square().mean().sqrt() < high
    assert abs(fields.mean()) < 0.1
    assert fields.abs().max() < 3.0


@pytest.mark.parametrize(("dims", "time_axis"), FORMS)
def test_unit_variance(dims: int, time_axis: bool) -> None:
    # a wavelength that is short against the image, so that few fields have many independent parts
    noise = FractalSimplexNoise(dims, octaves=3, frequency=12.0, time_axis=time_axis, normalize="unit")
    fields = noise(torch.zeros(12, 1, *((192, 192) if dims == 2 else (40, 40, 40))), torch.arange(12))
    assert fields.square().mean().sqrt() == pytest.approx(1.0, abs=0.05)


def test_octaves_have_their_wavelength() -> None:
    # the power of one octave lies about the frequency 1 / wavelength
    for wavelength in (32.0, 16.0, 8.0):
        noise = FractalSimplexNoise(2, octaves=1, frequency=wavelength)
        fields = noise(torch.zeros(16, 1, 128, 128), torch.arange(16))
        power = torch.fft.fft2(fields).abs().square().mean(dim=(0, 1))
        frequency = torch.fft.fftfreq(128)
        radius = torch.hypot(frequency[:, None], frequency[None, :])
        mean = float((power * radius).sum() / power.sum())
        assert 0.4 / wavelength < mean < 1.0 / wavelength


def test_directions_are_equal() -> None:
    fields = FractalSimplexNoise(3, octaves=2, frequency=8.0)(torch.zeros(6, 1, 40, 40, 40), torch.arange(6))
    steps = torch.stack([fields.diff(dim=axis).std() for axis in (2, 3, 4)])
    assert steps.max() / steps.min() < 1.1


def test_channels_are_independent_and_near_times_are_not() -> None:
    noise = FractalSimplexNoise(2, frequency=16.0)
    channels = noise(torch.zeros(1, 8, 128, 128), torch.tensor([9])).flatten(2)[0]
    assert torch.corrcoef(channels).fill_diagonal_(0).abs().max() < 0.2
    near = noise(torch.zeros(2, 1, 128, 128), torch.tensor([9, 9]), torch.tensor([100.0, 100.25])).flatten(1)
    assert torch.corrcoef(near)[0, 1] > 0.9


@pytest.mark.parametrize("time_axis", [True, False])
def test_the_channel_as_coordinate_makes_images_slices_of_volumes(time_axis: bool) -> None:
    seeds, times = torch.tensor([3, 4]), torch.tensor([0.0, 7.5])
    options = {"time_axis": time_axis, "dims": 3 + time_axis, "octaves": 3, "frequency": 16.0, "spacing": (0.5, 3.0)}
    volumes = _noise(3, time_axis, spacing=(1.0, 0.5, 3.0))
    images, origin = torch.zeros(2, 3, 20, 12), (5, -4)
    one_field = volumes(torch.zeros(2, 1, 3, 20, 12), seeds, times, (0, *origin))[:, 0]
    correlated = FractalSimplexNoise(2, channels="correlated", **options)
    assert torch.equal(correlated(images, seeds, times, origin), one_field)
    own_fields = volumes(torch.zeros(2, 3, 1, 20, 12), seeds, times, (0, *origin))[:, :, 0]
    independent = FractalSimplexNoise(2, **options)
    assert torch.equal(independent(images, seeds, times, origin), own_fields)
    assert torch.equal(independent(images, seeds, times)[:, :2], independent(images[:, :2], seeds, times))
    assert torch.equal(correlated(images, seeds, times)[:, :2], correlated(images[:, :2], seeds, times))


def test_channels_correlate_as_in_the_published_noise() -> None:
    # DTU-Net fault F9: neighboring channels of one field differ little, and one field served the batch
    def fields(channels: str) -> Tensor:
        noise = FractalSimplexNoise(2, octaves=6, persistence=0.9, frequency=64.0, dims=4, channels=channels)
        return noise(torch.zeros(64, 3, 128, 128), torch.arange(64))

    correlated, independent = fields("correlated"), fields("independent")
    found = torch.corrcoef(correlated.transpose(0, 1).flatten(1))
    assert float(found[0, 1]) == pytest.approx(0.92, abs=0.02)  # 0.92 and 0.81 were measured with the authors' code
    assert float(found[0, 2]) == pytest.approx(0.81, abs=0.03)
    for each in (correlated, independent):
        assert 0.44 < float(each.std()) < 0.5  # theirs: 0.48
        samples = torch.corrcoef(each[:, 0, ::4, ::4].flatten(1)).fill_diagonal_(0)
        assert abs(float(samples.mean())) < 0.02 and float(samples.abs().max()) < 0.9
    apart = torch.corrcoef(independent.transpose(0, 1).flatten(1)).fill_diagonal_(0)
    assert float(apart.abs().max()) < 0.05


def test_a_channel_has_a_coordinate_only_where_one_is_left() -> None:
    with pytest.raises(ValueError, match=r"dims=4.$"):
        FractalSimplexNoise(2, channels="correlated")
    with pytest.raises(ValueError, match="at most 4; volumes with time have independent channels"):
        FractalSimplexNoise(3, channels="correlated", dims=4)
    for dims in (3, 5):
        with pytest.raises(ValueError, match=f"dims={dims}: must be 4, the axes of space and time"):
            FractalSimplexNoise(3, dims=dims)
    FractalSimplexNoise(3, dims=4, channels="correlated", time_axis=False)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_of_the_images(dtype: torch.dtype) -> None:
    noise, seeds = _noise(2), torch.tensor([1])
    field = noise(torch.zeros(1, 1, 16, 16, dtype=dtype), seeds)
    assert field.dtype == dtype
    assert torch.equal(field, noise(torch.zeros(1, 1, 16, 16), seeds).to(dtype))


def test_autocast_and_compile_change_nothing() -> None:
    noise, images, seeds = _noise(2), torch.zeros(2, 1, 16, 16), torch.tensor([1, 2])
    expected = noise(images, seeds)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(noise(images, seeds), expected)
    compiled = torch.compile(lambda image: image + noise(image, seeds), backend="eager")
    assert torch.equal(compiled(images), expected)


def test_odd_shapes_and_far_positions() -> None:
    noise = _noise(2)
    assert noise(torch.zeros(0, 1, 8, 8), torch.zeros(0, dtype=torch.int64)).shape == (0, 1, 8, 8)
    assert noise(torch.zeros(2, 3, 1, 9), torch.tensor([1, 2])).shape == (2, 3, 1, 9)
    near, far = (noise(torch.zeros(8, 1, 64, 64), torch.arange(8), origin=(at, at + 7)) for at in (0, 10**9))
    assert far.std() == pytest.approx(float(near.std()), rel=0.2)
    assert far.diff(dim=-1).abs().max() < 1.5 * near.diff(dim=-1).abs().max()
    transposed = torch.zeros(1, 1, 20, 10).transpose(2, 3)
    assert torch.equal(noise(transposed, torch.tensor([1])), noise(torch.zeros(1, 1, 10, 20), torch.tensor([1])))


@pytest.mark.parametrize(
    "arguments",
    [
        {"spatial_dims": 1},
        {"octaves": 0},
        {"persistence": 0.0},
        {"frequency": -1.0},
        {"spacing": (1.0, 2.0, 3.0)},
        {"spacing": 0.0},
        {"normalize": "max"},
        {"dims": 2},
        {"dims": 5},
        {"channels": "shared"},
    ],
)
def test_bad_arguments(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        FractalSimplexNoise(**{"spatial_dims": 2, **arguments})


def test_is_a_noise_and_says_its_parameters() -> None:
    noise = FractalSimplexNoise(2, persistence=0.7)
    assert isinstance(noise, Noise)
    assert "persistence=0.7" in repr(noise)
    assert "spacing=(1.0, 1.0)" in repr(noise)
    assert repr(noise) == repr(FractalSimplexNoise(2, persistence=0.7, dims=3)) and ", dims=" not in repr(noise)
    texts = {repr(FractalSimplexNoise(2, dims=4, channels=name)) for name in ("independent", "correlated")}
    assert len({repr(FractalSimplexNoise(2)), *texts}) == 3
