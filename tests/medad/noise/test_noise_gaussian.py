# SPDX-License-Identifier: Apache-2.0
"""Gaussian noise by voxel index: distribution, tiles, seeds."""

import pytest
import torch
from medad.noise import GaussianNoise, Noise
from scipy.stats import kstest


@pytest.mark.parametrize("dims", [2, 3])
def test_distribution(dims: int) -> None:
    fields = GaussianNoise(dims)(torch.zeros(2, 2, *(40,) * dims), torch.tensor([0, 1]))
    assert kstest(fields.flatten().numpy(), "norm").pvalue > 0.001
    assert torch.corrcoef(fields.flatten(2).flatten(0, 1)).fill_diagonal_(0).abs().max() < 0.12
    for axis in range(2, dims + 2):
        size = fields.shape[axis] - 1
        neighbors = torch.stack([fields.narrow(axis, 0, size).flatten(), fields.narrow(axis, 1, size).flatten()])
        assert abs(torch.corrcoef(neighbors)[0, 1]) < 0.06


@pytest.mark.parametrize("dims", [2, 3])
def test_tile_is_the_region_of_the_whole(dims: int) -> None:
    noise, seeds, times = GaussianNoise(dims, std=0.5), torch.tensor([3, 4]), torch.tensor([0.0, 7.5])
    whole = noise(torch.zeros(2, 2, *[40, 33, 17][:dims]), seeds, times)
    tile = noise(torch.zeros(2, 2, *[7, 19, 5][:dims]), seeds, times, origin=[11, 6, 9][:dims])
    assert torch.equal(tile, whole[(..., *(slice(11, 18), slice(6, 25), slice(9, 14))[:dims])])


def test_samples_and_times_have_their_own_fields() -> None:
    noise, images = GaussianNoise(2), torch.zeros(3, 1, 16, 16)
    fields = noise(images, torch.tensor([1, 2, 3]))
    assert torch.equal(noise(images, torch.tensor([3, 1, 2])), fields[[2, 0, 1]])
    later = noise(images, torch.tensor([1, 2, 3]), torch.tensor([0.0, 1.0, 2.0]))
    assert torch.equal(later[0], fields[0])
    assert not torch.equal(later[1], fields[1])


def test_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    GaussianNoise(2)(torch.zeros(1, 1, 8, 8), torch.tensor([0]))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("images", "seeds", "message"),
    [
        (torch.zeros(1, 8, 8), torch.tensor([1]), "spatial axes"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.int32), torch.tensor([1]), "floating"),
        (torch.zeros(2, 1, 8, 8), torch.tensor([1]), "seeds"),
        (torch.zeros(1, 1, 8, 8), torch.tensor([1.0]), "seeds"),
    ],
)
def test_tensors_that_do_not_fit(images: torch.Tensor, seeds: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianNoise(2)(images, seeds)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="spatial_dims"):
        GaussianNoise(4)
    with pytest.raises(ValueError, match="std"):
        GaussianNoise(2, std=-1.0)


def test_is_a_noise_and_says_its_parameters() -> None:
    assert isinstance(GaussianNoise(2), Noise)
    assert repr(GaussianNoise(2, std=0.5)) == "GaussianNoise(spatial_dims=2, std=0.5)"


@pytest.mark.parametrize(
    ("dims", "expected"),
    [(2, [-0.9187876, -1.2308675, 0.6707267, -0.4824977]), (3, [-0.9187876, -1.2308675, 0.3245946, -0.0294505])],
)
def test_values_of_a_seed_stay(dims: int, expected: list[float]) -> None:
    """Trainings and maps that people have made depend on them."""
    field = GaussianNoise(dims)(torch.zeros(1, 1, *(4, 5, 3)[:dims]), torch.tensor([7]))
    torch.testing.assert_close(field.flatten()[[0, 1, -2, -1]], torch.tensor(expected), rtol=1e-5, atol=1e-6)
