# SPDX-License-Identifier: Apache-2.0
"""Division into folds: every subject is tested in exactly one, with all its images.

Subjects are sorted into strata by the labels of their images (normal, abnormal, both), put in a random order within
each, and dealt to the folds in turn; so the folds differ by at most one subject, in each stratum and over all.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..checks import check_within
from ..datalists import Item, Splits, draw_order
from ..errors import InputError
from ..keys import ABNORMAL, NORMAL, Keys

Strata = list[list[str]]


def make_folds(
    items: Sequence[Item], folds: int, seed: int = 0, validation_fraction: float = 0.2, where: str = "data set"
) -> list[Splits]:
    """Make the splits of every fold.

    Args:
        items: labeled cases with ``subject_id``.
        folds: number of folds, at least 2.
        seed: equal arguments give equal folds, whatever the order of the items.
        validation_fraction: share of the subjects of each stratum, of those that a fold does not test, that is held out
            of training for calibration and choices; rounded up, and never all of a stratum.
        where: names the data set in errors.

    Returns:
        For each fold ``training`` (normal images), ``training_abnormal``, ``validation`` and ``test``.

    Raises:
        InputError: if there are fewer than 2 folds or fewer subjects than folds, a case has no label, or the subjects
            of a fold do not suffice for a normal image in both training and validation.
        ValueError: if ``validation_fraction`` is outside (0, 1).
    """
    check_within("(0, 1)", validation_fraction=validation_fraction)
    labels = _labels_of_subjects(items, where)
    if folds < 2 or folds > len(labels):
        raise InputError(
            f"{folds} folds of {len(labels)} subjects asked for",
            where=where,
            expected=f"from 2 folds to as many as there are subjects ({len(labels)})",
            remedy="Change --folds, or give more subjects.",
        )
    shuffled = [subject for stratum in _strata(labels, labels, seed) for subject in stratum]
    fold_of = {subject: number % folds for number, subject in enumerate(shuffled)}
    return [
        _splits(items, fold_of, fold, _held_out(labels, fold_of, fold, seed, validation_fraction), where)
        for fold in range(folds)
    ]


def _labels_of_subjects(items: Sequence[Item], where: str) -> dict[str, frozenset[int]]:
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for item in items:
        if item.get(Keys.LABEL) is None:
            raise InputError(
                f"case {item[Keys.CASE]!r} has no label",
                where=where,
                expected="label 0 (normal) or 1 (abnormal) for every image",
                remedy="Add the labels to the data list.",
            )
        labels[item[Keys.SUBJECT_ID]].add(item[Keys.LABEL])
    return {subject: frozenset(found) for subject, found in labels.items()}


def _strata(subjects: Mapping[str, object], labels: Mapping[str, frozenset[int]], seed: int | str) -> Strata:
    """Subjects by the labels that they have, each stratum in a random order."""
    kinds = sorted({tuple(sorted(labels[subject])) for subject in subjects})
    return [draw_order((s for s in subjects if tuple(sorted(labels[s])) == kind), seed) for kind in kinds]


def _held_out(
    labels: Mapping[str, frozenset[int]], fold_of: Mapping[str, int], fold: int, seed: int, fraction: float
) -> set[str]:
    """Draw the validation subjects of a fold, other ones in each."""
    rest = {subject: None for subject, home in fold_of.items() if home != fold}
    counts = [
        (stratum, min(math.ceil(fraction * len(stratum)), len(stratum) - 1))
        for stratum in _strata(rest, labels, f"{seed}/{fold}")
    ]
    return {subject for stratum, count in counts for subject in stratum[:count]}


def _splits(items: Sequence[Item], fold_of: Mapping[str, int], fold: int, held: set[str], where: str) -> Splits:
    splits: Splits = {"training": [], "training_abnormal": [], "validation": [], "test": []}
    for item in items:
        subject = item[Keys.SUBJECT_ID]
        if fold_of[subject] == fold:
            split = "test"
        elif subject in held:
            split = "validation"
        else:
            split = "training_abnormal" if item[Keys.LABEL] == ABNORMAL else "training"
        splits[split].append(item)
    normals = sum(item[Keys.LABEL] == NORMAL for item in splits["validation"])
    if not normals or not splits["training"]:
        raise InputError(
            f"fold {fold + 1} has {len(splits['training'])} normal images for training and {normals} for calibration",
            where=where,
            expected="at least one normal image for each, of different subjects",
            remedy="Add normal subjects, or make more folds.",
        )
    return splits
