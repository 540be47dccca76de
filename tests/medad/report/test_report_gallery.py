# SPDX-License-Identifier: Apache-2.0
"""The gallery: bounded, merged in any order to the same choice, worst cases included."""

import hashlib
import pickle
import random

import numpy as np
import pytest
from medad.report import CaseGallery, CaseRecord, select_cases
from medad.report import gallery as gallery_module

IMAGE = np.random.default_rng(0).random((1, 12, 12), dtype=np.float32)


def offer(gallery: CaseGallery, cases: list[tuple[str, float, int | None]]) -> CaseGallery:
    for name, score, label in cases:
        gallery.add(CaseRecord(name, score, label, 0.5, 0), image=IMAGE, anomaly_map=IMAGE, mask=IMAGE > 0.9)
    return gallery


def make_cases(abnormal: int = 60, normal: int = 50, unlabeled: int = 0) -> list[tuple[str, float, int | None]]:
    rng = np.random.default_rng(1)
    labels = [1] * abnormal + [0] * normal + [None] * unlabeled
    return [(f"Case {i}", float(rng.normal()), label) for i, label in enumerate(labels)]


def names(records: list[CaseRecord]) -> list[str]:
    return [record.name for record in records]


def chosen(gallery: CaseGallery) -> list[CaseRecord]:
    return select_cases(gallery.records(), gallery.max_cases)


def new_gallery(max_cases: int = 12) -> CaseGallery:
    return CaseGallery(max_cases, map_max=1.0, panel_size=16)


def brute_force(cases: list[tuple[str, float, int | None]], label: int | None, count: int) -> set[str]:
    """The rule, applied to all cases at once."""
    group = sorted((case for case in cases if case[2] == label), key=lambda case: case[1], reverse=label != 1)
    worst = -(-count // 3)
    rest = sorted(group[worst:], key=lambda case: hashlib.sha256(case[0].encode()).hexdigest())
    return {case[0] for case in group[:worst] + rest[: count - worst]}


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_ranks_give_the_same_choice(seed: int) -> None:
    cases = make_cases(60, 50, 20)
    expected = set().union(*(brute_force(cases, label, 4) for label in (1, 0, None)))
    random.Random(seed).shuffle(cases)
    ranks = [offer(new_gallery(), cases[rank :: seed + 2]) for rank in range(seed + 2)]
    records = [pickle.loads(pickle.dumps(record)) for rank in ranks for record in rank.records()]
    random.Random(seed).shuffle(records)
    merged, whole = select_cases(records, 12), chosen(offer(new_gallery(), cases))
    assert names(merged) == names(whole)
    assert set(names(whole)) == expected
    assert [r.reason for r in merged] == [r.reason for r in whole]


def test_bounded_and_complete() -> None:
    gallery = offer(new_gallery(), make_cases(60, 50, 20))
    assert len(gallery.records()) <= 36
    assert len(chosen(gallery)) == 12
    for record in gallery.records():
        (view,) = record.views
        assert set(view.panels) == {"input", "anomaly_map", "contours"}
        assert all(jpeg.startswith(b"\xff\xd8") for jpeg in view.panels.values())
    assert len(pickle.dumps(gallery)) < 36 * 10_000


def test_worst_cases_are_shown_with_the_reason() -> None:
    cases = make_cases()
    shown = {record.name: record for record in chosen(offer(new_gallery(), cases))}
    missed = min((case for case in cases if case[2] == 1), key=lambda case: case[1])[0]
    alarm = max((case for case in cases if case[2] == 0), key=lambda case: case[1])[0]
    assert shown[missed].reason == "lowest-scored abnormal"
    assert shown[alarm].reason == "highest-scored normal"
    assert "sampled" in {record.reason for record in shown.values()}


def test_order_abnormal_normal_by_score() -> None:
    shown = chosen(offer(new_gallery(), make_cases()))
    assert [r.label for r in shown] == [1] * 6 + [0] * 6
    for label in (1, 0):
        scores = [r.score for r in shown if r.label == label]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("abnormal", "normal", "expected"), [(2, 50, (2, 10)), (50, 0, (12, 0)), (3, 4, (3, 4)), (0, 0, (0, 0))]
)
def test_places_of_a_small_group_go_to_the_other(abnormal: int, normal: int, expected: tuple[int, int]) -> None:
    shown = chosen(offer(new_gallery(), make_cases(abnormal, normal)))
    assert tuple(sum(r.label == label for r in shown) for label in (1, 0)) == expected


def test_a_case_that_comes_twice_counts_once() -> None:
    """As in a distributed sampler that pads the last rank."""
    gallery = offer(new_gallery(), [("a", 1.0, 1), ("a", 1.0, 1)])
    assert names(gallery.records()) == ["a"]
    assert names(select_cases(gallery.records() * 2, 12)) == ["a"]


def test_choosing_from_the_choice_changes_nothing() -> None:
    shown = chosen(offer(new_gallery(), make_cases()))
    assert select_cases(shown, 12) == shown


def test_only_kept_cases_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = gallery_module.draw_case
    monkeypatch.setattr(gallery_module, "draw_case", lambda *a, **k: drawn.append(1) or draw(*a, **k))
    cases = sorted(make_cases(0, 200), key=lambda case: -case[1])  # the worst come first and stay
    offer(new_gallery(3), cases)
    assert 3 <= len(drawn) < 40


def test_a_case_that_cannot_be_drawn_leaves_no_trace() -> None:
    gallery = offer(new_gallery(), [("a", 1.0, 1)])
    with pytest.raises(ValueError, match="image"):
        gallery.add(CaseRecord("b", 2.0, 1), image=np.ones((2, 2)), anomaly_map=IMAGE)
    assert names(gallery.records()) == ["a"]


@pytest.mark.parametrize(("score", "label"), [(float("nan"), 1), (float("inf"), 0), (1.0, 2)])
def test_bad_case(score: float, label: int) -> None:
    with pytest.raises(ValueError, match="Case"):
        offer(new_gallery(), [("Case 1", score, label)])


@pytest.mark.parametrize("arguments", [{"max_cases": 0, "map_max": 1.0}, {"map_max": 0.0}])
def test_bad_arguments(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"max_cases|map_max"):
        CaseGallery(**arguments)


def test_volume_keeps_its_slices_and_truth() -> None:
    volume = np.zeros((1, 8, 8, 5), np.float32)
    volume[..., 3] = 1
    gallery = new_gallery()
    gallery.add(CaseRecord("v", 1.0), image=volume, anomaly_map=volume, truth=volume)
    (record,) = gallery.records()
    assert [(view.plane, view.slice_index, view.slice_count) for view in record.views] == [
        ("", index, 5) for index in (3, 2, 1)
    ]
    assert record.has_truth
    assert (record.p_value, record.decision, record.label) == (None, None, None)


@pytest.mark.parametrize(("by_slices", "planes"), [(False, ["Axial", "Coronal", "Sagittal"]), (True, ["Axial"] * 3)])
def test_views_are_those_that_the_network_has(by_slices: bool, planes: list[str]) -> None:
    volume = np.random.default_rng(0).random((1, 8, 9, 10), dtype=np.float32)
    gallery = CaseGallery(1, map_max=1.0, panel_size=64, by_slices=by_slices)
    gallery.add(CaseRecord("v", 1.0), image=volume, anomaly_map=volume, affine=np.eye(4), oriented=True)
    (record,) = gallery.records()
    assert [view.plane for view in record.views] == planes
