# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.noise.seeding import check_call, check_origin, field_seeds

SEEDS = torch.tensor([3, 4, 2**62])


def test_every_sample_and_channel_has_its_own_seed() -> None:
    seeds = field_seeds(SEEDS, 5)
    assert seeds.shape == (3, 5) and seeds.dtype == torch.int64 and seeds.unique().numel() == 15
    assert torch.equal(field_seeds(SEEDS, 2), seeds[:, :2]) and torch.equal(field_seeds(SEEDS[1:], 5), seeds[1:])


def test_every_time_has_its_own_seed_and_none_is_zero() -> None:
    at = {time: field_seeds(SEEDS, 2, torch.full((3,), time)) for time in (0.0, -0.0, 1.0, -1.0, 0.5, 250.0)}
    assert torch.equal(at[0.0], field_seeds(SEEDS, 2))
    assert torch.equal(field_seeds(SEEDS, 2, torch.full((3,), -0.0)), field_seeds(SEEDS, 2))
    assert torch.stack(list(at.values())).unique().numel() == 6 * len(at)  # 0.0 and -0.0 are one key
    mixed = field_seeds(SEEDS, 2, torch.tensor([0.0, 1.0, 250.0]))
    assert torch.equal(mixed[1], at[1.0][1]) and torch.equal(mixed[2], at[250.0][2])


def test_seeds_of_neighbors_and_of_times_do_not_meet() -> None:
    seeds = [field_seeds(torch.arange(100), 4, torch.full((100,), float(time))) for time in range(20)]
    assert torch.stack(seeds).unique().numel() == 100 * 4 * 20


def test_an_origin_has_one_index_for_each_axis() -> None:
    assert check_origin(None, 3) == (0, 0, 0) and check_origin([4, 5], 2) == (4, 5)
    with pytest.raises(ValueError, match=r"origin=\(4, 5\): one index for each of 3"):
        check_origin([4, 5], 3)


@pytest.mark.parametrize(
    ("images", "seeds", "times", "message"),
    [
        (torch.zeros(3, 8, 8), SEEDS, None, "2 spatial axes"),
        (torch.zeros(3, 1, 8, 8, dtype=torch.uint8), SEEDS, None, "images of type torch.uint8"),
        (torch.zeros(2, 1, 8, 8), SEEDS, None, r"int64 \(2,\) is expected"),
        (torch.zeros(3, 1, 8, 8), SEEDS.int(), None, r"seeds torch.int32 \(3,\)"),
        (torch.zeros(3, 1, 8, 8), SEEDS, torch.zeros(2), r"times of shape \(2,\)"),
    ],
)
def test_tensors_that_do_not_fit(
    images: torch.Tensor, seeds: torch.Tensor, times: torch.Tensor | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_call(images, seeds, 2, times)
    check_call(torch.zeros(3, 1, 8, 8), SEEDS, 2, torch.zeros(3))
