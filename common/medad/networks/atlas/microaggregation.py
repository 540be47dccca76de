# SPDX-License-Identifier: Apache-2.0
"""Microaggregation: groups of similar images of different subjects, of which only statistics are kept."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import InputError


def group_similar(features: Tensor, subjects: Sequence[str], size: int) -> list[list[int]]:
    """Form groups of ``size`` images of as many subjects; an image is in one group at most.

    The image that is farthest from the mean of those left is joined by the most similar ones of other subjects, until
    the images that are left have too few subjects. Those are in no group.

    Args:
        features: ``(N, ...)``: similar images have similar ones.
        subjects: whose image each is.
        size: images of a group.

    Returns:
        The groups, as numbers of images.

    Raises:
        InputError: if there are fewer subjects than images in a group.

    References:
        Domingo-Ferrer and Mateo-Sanz, "Practical Data-Oriented Microaggregation for Statistical Disclosure Control",
        IEEE Transactions on Knowledge and Data Engineering 2002.
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(subjects))}
    if len(numbers) < size:
        raise InputError(
            f"normal images of {len(numbers)} subjects",
            where="training data",
            expected=f"at least {size} subjects: {size} images of different subjects become one of the bank",
            remedy="Give images of more subjects, or lower group_size.",
        )
    vectors = features.flatten(1).float().cpu()
    whose = torch.tensor([numbers[name] for name in subjects])
    left = torch.arange(len(vectors))
    groups: list[list[int]] = []
    while len(whose[left].unique()) >= size:
        seed = left[_distances(vectors[left], vectors[left].mean(dim=0)).argmax()]
        group: list[int] = []
        taken: set[int] = set()
        for number in left[_distances(vectors[left], vectors[seed]).argsort(stable=True)].tolist():
            if int(whose[number]) not in taken:
                group.append(number)
                taken.add(int(whose[number]))
            if len(group) == size:
                break
        groups.append(group)
        left = left[~torch.isin(left, torch.tensor(group))]
    return groups


def _distances(vectors: Tensor, center: Tensor) -> Tensor:
    return (vectors - center).norm(dim=1)
