# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.networks import NormativeAtlas
from medad.transforms import ExpectedImaged
from torch import Tensor

SIZES = [(2, (16, 20)), (3, (8, 10, 12))]


def _items(size: tuple[int, ...], subjects: str = "aabbccdd") -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "image": 0.5 + torch.rand(1, *size, generator=generator),
            "depth": torch.ones(1, *size),
            "subject_id": subject,
        }
        for subject in subjects
    ]


def _atlas(spatial_dims: int, size: tuple[int, ...], group_size: int = 1) -> NormativeAtlas:
    return NormativeAtlas(spatial_dims, 1, size, num_neighbors=5, num_bases=4, feature_size=4, group_size=group_size)


def _of(items: list[dict[str, Any]], spatial_dims: int, size: tuple[int, ...], image: Tensor) -> tuple[Tensor, Tensor]:
    """What an atlas of these images alone expects."""
    atlas = _atlas(spatial_dims, size)
    atlas.forget()
    for item in items:
        atlas.remember(item["image"][None], item["depth"][None])
    expectation = atlas.expect(atlas.smooth(image[None]))
    return expectation.image[0], expectation.spread[0]


@pytest.mark.parametrize(("spatial_dims", "size"), SIZES)
def test_images_of_other_subjects_are_asked(spatial_dims: int, size: tuple[int, ...]) -> None:
    items, atlas = _items(size), _atlas(spatial_dims, size)
    transform = ExpectedImaged(atlas)
    transform.fit(items)
    assert len(atlas.bank) == len(items)
    for item in items:
        others = [other for other in items if other["subject_id"] != item["subject_id"]]
        result = transform(item)
        expected, spread = _of(others, spatial_dims, size, item["image"])
        torch.testing.assert_close(result["expected"], expected)
        torch.testing.assert_close(result["spread"], spread)
        assert "expected" not in item


def test_what_the_atlas_held_is_forgotten() -> None:
    items, atlas = _items((16, 20)), _atlas(2, (16, 20))
    atlas.remember(torch.rand(3, 1, 16, 20), torch.ones(3, 1, 16, 20))
    transform = ExpectedImaged(atlas)
    for _ in range(2):
        transform.fit(items)
        assert len(atlas.bank) == len(items)


@pytest.mark.parametrize("group_size", [1, 3])
def test_one_subject_in_every_image_is_too_few(group_size: int) -> None:
    names = "abc"[:group_size]
    with pytest.raises(InputError, match=f"of {group_size} subjects.*at least {2 * group_size} subjects"):
        ExpectedImaged(_atlas(2, (16, 20), group_size)).fit(_items((16, 20), 3 * names))


def test_groups_that_a_subject_is_in_are_not_asked() -> None:
    items, atlas = _items((16, 20), "abcdef"), _atlas(2, (16, 20), 3)
    transform = ExpectedImaged(atlas)
    transform.fit(items)
    assert [len(names) for names in transform.subjects] == [3, 3]
    for item in items:
        other = next(number for number, names in enumerate(transform.subjects) if item["subject_id"] not in names)
        torch.testing.assert_close(transform(item)["expected"], _of_group(atlas, other, item), atol=1e-5, rtol=0)


def _of_group(atlas: NormativeAtlas, number: int, item: dict[str, Any]) -> Tensor:
    """What an atlas of this one group expects."""
    alone = _atlas(2, (16, 20), 3)
    alone.forget()
    alone.append(**{name: value[number : number + 1] for name, value in atlas.entries().items()})
    return alone.expect(alone.smooth(item["image"][None])).image[0]
