# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.errors import InputError
from medad.networks.atlas.microaggregation import group_similar

SUBJECTS = [f"s{number % 11}" for number in range(60)]
FEATURES = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [2, 5, 11])
def test_each_image_is_in_one_group_at_most_and_each_group_has_as_many_subjects(size: int) -> None:
    groups = group_similar(FEATURES, SUBJECTS, size)
    together = [number for group in groups for number in group]
    assert len(together) == len(set(together)) and all(len(group) == size for group in groups)
    assert all(len({SUBJECTS[number] for number in group}) == size for group in groups)
    left = {SUBJECTS[number] for number in range(60) if number not in together}
    assert len(left) < size
    assert group_similar(FEATURES, SUBJECTS, size) == groups


def test_similar_images_come_together() -> None:
    kinds = torch.arange(24) % 3
    features = kinds[:, None].float() + 0.01 * torch.rand(24, 8, generator=torch.Generator().manual_seed(1))
    groups = group_similar(features, [f"s{number // 3}" for number in range(24)], 4)
    assert len(groups) == 6 and all(len({int(kinds[number]) for number in group}) == 1 for group in groups)


def test_too_few_subjects() -> None:
    with pytest.raises(InputError, match=r"of 2 subjects.*at least 3 subjects.*group_size"):
        group_similar(FEATURES[:6], list("aabbab"), 3)
