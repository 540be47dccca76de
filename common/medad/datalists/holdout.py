# SPDX-License-Identifier: Apache-2.0
"""Hold-out: subjects move from training to validation, by a draw that follows from their names and a seed."""

import hashlib
import math
from collections.abc import Iterable

from ..checks import check_within
from ..errors import InputError
from .items import (
    SUBJECT_ID,
    TRAINING,
    TRAINING_ABNORMAL,
    VALIDATION,
    Item,
    Splits,
)


def hold_out_subjects(splits: Splits, fraction: float, seed: int = 0) -> Splits:
    """Move a fraction of the training subjects, with all their images, to the validation split.

    The draw depends on the subjects' names and the seed only: subjects are sorted by the SHA-256 of seed and name.

    Args:
        splits: splits with ``training`` and without ``validation``.
        fraction: of the subjects, in (0, 1); at least one subject is moved and at least one stays.
        seed: another seed draws other subjects.

    Returns:
        New splits.

    Raises:
        InputError: if there are fewer than two training subjects.
    """
    check_within("(0, 1)", holdout_fraction=fraction)
    subjects = draw_order({item[SUBJECT_ID] for item in splits.get(TRAINING, [])}, seed)
    if len(subjects) < 2:
        raise InputError(
            f"{len(subjects)} training subjects found",
            where="holdout_fraction",
            expected="at least two, to hold one out",
            remedy="Give a validation split.",
        )
    held = set(subjects[: min(math.ceil(fraction * len(subjects)), len(subjects) - 1)])
    result = dict(splits)
    moved: list[Item] = []
    for name in (TRAINING, TRAINING_ABNORMAL):
        moved += [item for item in splits.get(name, []) if item[SUBJECT_ID] in held]
        result[name] = [item for item in splits.get(name, []) if item[SUBJECT_ID] not in held]
    result[VALIDATION] = moved
    return result


def draw_order(subjects: Iterable[str], seed: int | str) -> list[str]:
    """Put subjects in a random order that follows from their names and the seed alone: by the SHA-256 of both.

    Args:
        subjects: names, each once.
        seed: another seed gives another order.

    Returns:
        All names.
    """
    return sorted(
        subjects, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).hexdigest()
    )
