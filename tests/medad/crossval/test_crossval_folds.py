# SPDX-License-Identifier: Apache-2.0
"""Folds: a partition by subject, stratified, and a function of the names and the seed alone."""

import random
from collections import Counter
from typing import Any

import pytest
from medad.crossval import make_folds
from medad.errors import InputError


def _cases(normal: int = 23, abnormal: int = 11, both: int = 7) -> list[dict[str, Any]]:
    """Subjects with 1 to 3 images each."""
    kinds = [*["normal"] * normal, *["abnormal"] * abnormal, *["both"] * both]
    return [
        {
            "image": f"/data/{kind}_{number}_{index}.png",
            "case": f"{kind}_{number}_{index}",
            "subject_id": f"{kind}_{number}",
            "label": index % 2 if kind == "both" else int(kind == "abnormal"),
        }
        for number, kind in enumerate(kinds)
        for index in range(2 if kind == "both" else 1 + number % 3)
    ]


def _subjects(items: list[dict[str, Any]], kind: str = "") -> set[str]:
    return {item["subject_id"] for item in items if item["subject_id"].startswith(kind)}


@pytest.mark.parametrize("folds", [2, 3, 5, 41])
def test_every_case_is_tested_once_and_subjects_are_whole(folds: int) -> None:
    items = _cases()
    divided = make_folds(items, folds)
    assert len(divided) == folds
    assert Counter(item["case"] for splits in divided for item in splits["test"]) == {i["case"]: 1 for i in items}
    for splits in divided:
        everything = [item for part in splits.values() for item in part]
        assert sorted(item["case"] for item in everything) == sorted(item["case"] for item in items)
        fitted = _subjects([*splits["training"], *splits["training_abnormal"]])
        held, tested = _subjects(splits["validation"]), _subjects(splits["test"])
        assert not fitted & held and not fitted & tested and not held & tested
        assert {item["label"] for item in splits["training"]} == {0}
        assert {item["label"] for item in splits["training_abnormal"]} <= {1}


@pytest.mark.parametrize("kind", ["normal", "abnormal", "both", ""])
def test_folds_are_stratified(kind: str) -> None:
    items = _cases()
    divided = make_folds(items, 4)
    sizes = [len(_subjects(splits["test"], kind)) for splits in divided]
    assert max(sizes) - min(sizes) <= 1
    if kind:
        for splits in divided:
            rest = len(_subjects(items, kind)) - len(_subjects(splits["test"], kind))
            assert len(_subjects(splits["validation"], kind)) == -(-rest // 5)  # a fifth, rounded up


def test_folds_follow_from_names_and_seed() -> None:
    items = _cases()
    shuffled = random.Random(1).sample(items, len(items))

    def named(cases: list[dict[str, Any]], seed: int) -> list[dict[str, set[str]]]:
        return [{name: {i["case"] for i in part} for name, part in s.items()} for s in make_folds(cases, 5, seed)]

    assert named(items, 0) == named(shuffled, 0)
    assert named(items, 0) != named(items, 1)
    held = [splits["validation"] for splits in named(items, 0)]
    assert len({frozenset(names) for names in held}) == 5  # other subjects in every fold


def test_what_cannot_be_divided_is_refused_in_one_sentence() -> None:
    items = _cases(3, 1, 0)
    with pytest.raises(InputError, match=r"mine: 1 folds of 4 subjects.*from 2 folds"):
        make_folds(items, 1, where="mine")
    with pytest.raises(InputError, match="5 folds of 4 subjects"):
        make_folds(items, 5)
    with pytest.raises(InputError, match="'normal_0_0' has no label"):
        make_folds([{key: items[0][key] for key in ("image", "case", "subject_id")}, *items[1:]], 2)
    with pytest.raises(InputError, match=r"fold \d has 1 normal images for training and 0 for calibration"):
        make_folds(_cases(2, 4, 0), 2)
    with pytest.raises(ValueError, match="validation_fraction"):
        make_folds(items, 2, validation_fraction=1.0)


def test_a_stratum_is_never_held_out_as_a_whole() -> None:
    for splits in make_folds(_cases(4, 2, 0), 2, validation_fraction=0.99):
        assert len(_subjects(splits["training"])) == 1 and len(_subjects(splits["validation"], "normal")) == 1
        assert len(_subjects(splits["training_abnormal"])) == 1
