# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.noise import CoarseNoise
from medad.noise.coarse import roll_each


@pytest.mark.parametrize("spatial", [(32, 32), (40, 24), (12, 16, 20)])
def test_mean_is_zero_and_spread_is_between_grid_and_midpoints(spatial: tuple[int, ...]) -> None:
    # the public benchmark code adds a constant -1 here (its fault F2): the mean over many fields must vanish
    noise = CoarseNoise(len(spatial), resolution=4, std=0.2)
    fields = noise(torch.zeros(400, 1, *spatial), torch.arange(400))
    assert abs(fields.mean()) < 0.01
    assert 0.2 * 0.5 ** len(spatial) < fields.std() < 0.2


def test_every_sample_and_channel_has_its_own_field_and_offset() -> None:
    noise = CoarseNoise(2, resolution=4)
    fields = noise(torch.zeros(3, 2, 32, 32), torch.tensor([1, 2, 3]))
    flat = fields.reshape(6, -1)
    assert (torch.corrcoef(flat) - torch.eye(6)).abs().max() < 0.9
    batch = noise(torch.zeros(2, 2, 32, 32), torch.tensor([3, 1]))
    assert torch.equal(batch, fields[[2, 0]])


def test_roll_each_equals_torch_roll() -> None:
    x = torch.rand(3, 2, 5, 6, 7)
    offsets = torch.tensor([[0, 0, 0], [1, 2, 3], [4, 5, 6]])
    rolled = roll_each(x, offsets)
    for sample, field, offset in zip(x, rolled, offsets, strict=True):
        assert torch.equal(field, torch.roll(sample, tuple(offset.tolist()), dims=(1, 2, 3)))


def test_resolution_one_is_a_constant_and_zero_std_is_nothing() -> None:
    constant = CoarseNoise(2, resolution=1)(torch.zeros(1, 1, 8, 8), torch.tensor([5]))
    assert constant.unique().numel() == 1 and constant[0, 0, 0, 0] != 0
    assert not CoarseNoise(2, std=0.0)(torch.zeros(1, 1, 8, 8), torch.tensor([5])).any()


@pytest.mark.parametrize("wrong", [{"spatial_dims": 4}, {"resolution": 0}, {"std": -1.0}])
def test_wrong_arguments_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CoarseNoise(**{"spatial_dims": 2, **wrong})  # type: ignore[arg-type]


def test_wrong_dimension_is_named() -> None:
    with pytest.raises(ValueError, match="spatial axes"):
        CoarseNoise(3)(torch.zeros(1, 1, 8, 8), torch.tensor([0]))


@pytest.mark.parametrize(
    ("dims", "expected"),
    [(2, [-0.1413855, 0.1123741, 0.1897369, -0.0793249]), (3, [-0.3567105, -0.1832326, 0.0512042, -0.1685508])],
)
def test_values_of_a_seed_stay(dims: int, expected: list[float]) -> None:
    """Trainings and maps that people have made depend on them."""
    field = CoarseNoise(dims)(torch.zeros(1, 1, *(4, 5, 3)[:dims]), torch.tensor([7]))
    torch.testing.assert_close(field.flatten()[[0, 1, -2, -1]], torch.tensor(expected), rtol=1e-5, atol=1e-6)
