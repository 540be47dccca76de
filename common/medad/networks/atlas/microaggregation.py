# SPDX-License-Identifier: Apache-2.0
"""Microaggregation: only the means of groups are kept, each of k similar images of k different subjects.

The image x with the largest |f(x) - mean f| of those left is joined by its k - 1 nearest by features f, one of each
other subject, until those left have fewer than k subjects. The published algorithm forms two groups a round, does not
know subjects, and puts the rest into the last group.
"""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from ...errors import InputError


def group_similar(features: Tensor, subjects: Sequence[str], size: int) -> list[list[int]]:
    """Form groups of ``size`` similar images of as many subjects; an image is in one group at most.

    Args:
        features: ``(N, ...)``: similar images have similar ones.
        subjects: the subject of each image.
        size: images of a group.

    Returns:
        The groups, as numbers of images. Images that are left are in none.

    Raises:
        InputError: if there are fewer subjects than images in a group.

    References:
        Domingo-Ferrer and Mateo-Sanz, "Practical Data-Oriented Microaggregation for Statistical Disclosure Control",
        IEEE Transactions on Knowledge and Data Engineering 2002, section III (maximum distance).
    """
    require_subjects(subjects, size)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(subjects))}
    vectors = features.flatten(1).float().cpu()
    whose = torch.tensor([numbers[name] for name in subjects])
    left = torch.arange(len(vectors))
    groups: list[list[int]] = []
    while len(whose[left].unique()) >= size:
        remaining = vectors[left]
        seed = (remaining - remaining.mean(dim=0)).norm(dim=1).argmax()
        nearest = left[(remaining - remaining[seed]).norm(dim=1).argsort(stable=True)].tolist()
        group: dict[int, int] = {}
        for number in nearest:
            group.setdefault(int(whose[number]), number)
            if len(group) == size:
                break
        groups.append(list(group.values()))
        left = left[~torch.isin(left, torch.tensor(groups[-1]))]
    return groups


def require_subjects(subjects: Collection[str], size: int) -> None:
    """Refuse fewer subjects than images in a group.

    Raises:
        InputError: if there are.
    """
    if (count := len(set(subjects))) < size:
        raise InputError(
            f"normal images of {count} subjects",
            where="training data",
            expected=f"at least {size} subjects, as many as images of the bank are means of",
            remedy="Give images of more subjects, or lower group_size.",
        )
