# SPDX-License-Identifier: Apache-2.0
import copy

import pytest
import torch
from medad.networks import holds_images
from medad.networks.atlas.image_bank import ImageBank, distances_between, turned
from medad.networks.atlas.microaggregation import group_similar
from torch import Tensor

SIZES = [(2, (8, 12)), (3, (8, 12, 16))]


class _Bank(ImageBank):
    def __init__(self, spatial_dims: int, size: tuple[int, ...], mirror: bool = True, group_size: int = 1) -> None:
        super().__init__(spatial_dims, 1, size, feature_size=4, mirror=mirror, group_size=group_size)
        empty = torch.zeros(0, 1, *size)
        self.register_entries(bank=empty.half(), features=self.features_of(empty))

    def remember(self, images: Tensor) -> None:
        self.append(bank=images, features=self.features_of(images))


def _images(count: int, size: tuple[int, ...]) -> Tensor:
    return torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_the_nearest_images_come_first_and_mirror_images_behind_the_others(
    spatial_dims: int, size: tuple[int, ...]
) -> None:
    bank, images = _Bank(spatial_dims, size), _images(5, size)
    bank.remember(images)
    assert bank.nearest(images, 1)[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert bank.nearest(images.flip(2), 1)[:, 0].tolist() == [5, 6, 7, 8, 9]
    assert bank.nearest(images, 100).shape == (5, 10)
    found = turned(bank.bank, bank.nearest(images.flip(2), 1))[:, 0]
    torch.testing.assert_close(found.float(), images.flip(2), atol=1e-3, rtol=0)
    alone = _Bank(spatial_dims, size, mirror=False)
    alone.remember(images)
    assert alone.nearest(images, 100).shape == (5, 5)


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_features_are_means_of_cells_up_to_tissue(spatial_dims: int, size: tuple[int, ...]) -> None:
    features = _Bank(spatial_dims, size).features_of(3.0 * torch.ones(1, 1, *size))
    assert torch.equal(features, torch.ones(1, 1, *[4] * spatial_dims))
    first, second = _images(6, size)[:3], _images(6, size)[3:]
    expected = [[float((a - b).double().norm()) for b in second] for a in first]
    torch.testing.assert_close(distances_between(first, second), torch.tensor(expected), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_smoothing_keeps_sums_and_constants(spatial_dims: int, size: tuple[int, ...]) -> None:
    bank = _Bank(spatial_dims, size)
    torch.testing.assert_close(bank.smooth(torch.ones(1, 2, *size)), torch.ones(1, 2, *size))
    point = torch.zeros(1, 1, *[17] * spatial_dims)
    point[(0, 0, *[8] * spatial_dims)] = 1.0
    smooth = bank.smooth(point)
    assert float(smooth.sum()) == pytest.approx(1.0)
    assert float(smooth.max()) == pytest.approx(0.39894**spatial_dims, rel=1e-3)


def test_a_state_dict_brings_as_many_images_as_it_has_also_into_a_copy() -> None:
    bank, images = _Bank(2, (8, 12)), _images(5, (8, 12))
    bank.remember(images)
    whole = torch.nn.Sequential(bank)
    other = copy.deepcopy(torch.nn.Sequential(_Bank(2, (8, 12))))
    other.load_state_dict(whole.state_dict(), strict=True)
    assert torch.equal(other[0].bank, bank.bank) and torch.equal(other[0].features, bank.features)
    bank.forget()
    assert len(bank.bank) == len(bank.features) == 0 and len(other[0].bank) == 5


@pytest.mark.parametrize("argument", [{"spatial_dims": 1}, {"feature_size": 0}, {"sigma": 0.0}, {"group_size": 0}])
def test_arguments_out_of_range(argument: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(argument))):
        ImageBank(**{"spatial_dims": 2, "in_channels": 1, "image_size": (8, 8), **argument})  # type: ignore[arg-type]


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
@pytest.mark.parametrize("mirror", [True, False])
def test_images_that_do_not_count_are_never_nearest(spatial_dims: int, size: tuple[int, ...], mirror: bool) -> None:
    bank, images = _Bank(spatial_dims, size, mirror), _images(5, size)
    bank.remember(images)
    allowed = torch.tensor([False, True, False, False, True])
    found = bank.nearest(images, 9, allowed)
    assert found.shape == (5, 4 if mirror else 2) and set((found % 5).flatten().tolist()) == {1, 4}
    assert found[[1, 4], 0].tolist() == [1, 4]
    assert torch.equal(bank.nearest(images, 3, torch.ones(5, dtype=torch.bool)), bank.nearest(images, 3))


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_entries_fill_another_bank(spatial_dims: int, size: tuple[int, ...]) -> None:
    bank, other = _Bank(spatial_dims, size), _Bank(spatial_dims, size)
    bank.remember(_images(3, size))
    other.append(**bank.entries())
    assert torch.equal(other.bank, bank.bank) and torch.equal(other.features, bank.features)


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_groups_become_their_means(spatial_dims: int, size: tuple[int, ...], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    images, subjects = _images(12, size), list("abcdef") * 2
    bank = _Bank(spatial_dims, size, group_size=5)
    bank.remember(images)
    expected = group_similar(bank.features, subjects, 5)
    groups = bank.pool(subjects)
    assert groups == expected and len(bank.bank) == len(bank.features) == len(groups) == 2
    for mean, group in zip(bank.bank, groups, strict=True):
        torch.testing.assert_close(mean.float(), images[group].mean(dim=0), atol=1e-3, rtol=0)
    assert bank.members.tolist() == [5, 5] and not holds_images(bank)
    assert (
        "2 means, each of images of 5 subjects, from 12 normal images of 6 subjects, of which 2 are in none"
        in caplog.text
    )
    assert "subject of its own" not in caplog.text
    alone = _Bank(spatial_dims, size)
    alone.remember(images)
    before = alone.bank
    assert alone.pool(subjects) == [[number] for number in range(12)] and torch.equal(alone.bank, before)
    with pytest.raises(ValueError, match="3 subjects for 12 images"):
        alone.pool(subjects[:3])


def test_images_without_subjects_are_told(caplog: pytest.LogCaptureFixture) -> None:
    bank = _Bank(2, (8, 12), group_size=2)
    bank.remember(_images(4, (8, 12)))
    bank.pool(list("abcd"))
    assert "each image counts as a subject of its own" in caplog.text


@pytest.mark.parametrize(("had", "wanted"), [(1, 5), (5, 1), (2, 5)])
def test_a_bank_of_fewer_or_more_subjects_is_refused(had: int, wanted: int) -> None:
    bank, other = _Bank(2, (8, 12), group_size=had), _Bank(2, (8, 12), group_size=wanted)
    bank.remember(_images(10, (8, 12)))
    bank.pool(list("abcdefghij"))
    with pytest.raises(RuntimeError, match=f"means of {had} subjects, not of {wanted}"):
        other.load_state_dict(bank.state_dict())


def test_images_that_are_not_averaged_yet_are_images() -> None:
    bank = _Bank(2, (8, 12), group_size=5)
    bank.remember(_images(10, (8, 12)))
    assert holds_images(bank)
    with pytest.raises(RuntimeError, match="means of 1 subjects, not of 5"):
        _Bank(2, (8, 12), group_size=5).load_state_dict(bank.state_dict())


def test_a_bank_of_the_first_version_has_images() -> None:
    bank, other = _Bank(2, (8, 12)), _Bank(2, (8, 12))
    bank.remember(_images(3, (8, 12)))
    state = {name: value for name, value in bank.state_dict().items() if name != "members"}
    other.load_state_dict(state)
    assert other.members.tolist() == [1, 1, 1] and holds_images(other)
    with pytest.raises(RuntimeError, match="means of 1 subjects"):
        _Bank(2, (8, 12), group_size=5).load_state_dict(state)


@pytest.mark.parametrize(("group_size", "holds"), [(1, True), (4, True), (5, False)])
def test_means_of_five_subjects_are_no_images(group_size: int, holds: bool) -> None:
    bank = _Bank(2, (8, 12), group_size=group_size)
    assert not holds_images(bank) and not holds_images(torch.nn.ReLU())
    bank.remember(_images(10, (8, 12)))
    bank.pool(list("abcdefghij"))
    assert holds_images(torch.nn.Sequential(bank)) is holds
    assert [bank.neighbors_for(count) for count in (1, 5, 21)] == [-(-count // group_size) for count in (1, 5, 21)]
