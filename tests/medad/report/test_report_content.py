# SPDX-License-Identifier: Apache-2.0
"""The content of a report, before it is HTML."""

import pytest
from medad.report import CalibrationSummary, CaseRecord, CaseView, content
from medad.report.records import Scores

SCORES = Scores.read([{"score": i / 8, "label": i % 2, "decision": int(i > 4)} for i in range(8)])
NONE = {"value": None, "reason": "no masks in /data/Doe/masks"}


def unlabeled(count: int, *, decided: bool = True) -> Scores:
    return Scores.read([{"score": i / 8, "decision": int(i > 4) if decided else None} for i in range(count)])


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        (SCORES, "8 cases: 4 normal, 4 abnormal"),
        (unlabeled(1), "1 case: truth unknown"),
        (unlabeled(0), "No cases"),
        (Scores.read([{"label": 1}, {"label": None}]), "2 cases: 0 normal, 1 abnormal, 1 of unknown truth"),
    ],
)
def test_count_of_cases(scores: Scores, text: str) -> None:
    assert content.count_cases(scores) == text


def test_provenance_is_complete_ordered_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    facts = content.provenance_facts(
        {"note": "n" * 41, "seed": 0, "command": "run --dataset_dir /data/Doe", "version": "1", "patient_name": "Doe",
         "SubjectID": "Doe", "birthday": "Doe"}
    )  # fmt: skip
    assert [fact.name for fact in facts] == [
        "Bundle", "Version", "Weights, SHA-256", "Configuration, SHA-256", "Calibration, SHA-256", "Seed", "Command",
        "note",
    ]  # fmt: skip
    assert [fact.value for fact in facts][-3:] == ["0", "run --dataset_dir [file]", "n" * 41]
    assert [fact.is_long for fact in facts] == [False, False, True, True, True, False, True, True]
    assert "left out" in caplog.text
    assert len(content.provenance_facts({str(i): i for i in range(1000)})) == 5 + content.MAX_FACTS


def test_tiles_of_metrics() -> None:
    metrics = {
        "image_auroc": {"value": 0.9, "low": 0.8, "high": 1.0},
        "pixel_ap": NONE,
        "dice": [1],
        "false_positive_rate": 0.1,
    }
    calibration = CalibrationSummary([0.5], image_false_positive_rate=0.05)
    assert content.metric_tiles(metrics, calibration) == [
        ("Image AUROC", "0.900", "[0.800\u20131.000]"),
        ("Pixel average precision", "n/a", "no masks in [file]"),
        ("Dice", "n/a", "not a single value"),
        ("False-positive rate on normals", "0.100", "no interval, intended 0.05"),
    ]
    assert content.metric_tiles({}, None)[3] == ("False-positive rate on normals", "n/a", "not computed")


def test_tiles_of_counts() -> None:
    threshold = "at the calibrated threshold"
    assert content.count_tiles(unlabeled(8), 2) == [
        ("Cases", "8", ""),
        ("Called abnormal", "3", threshold),
        ("Called normal", "5", threshold),
        ("Failed", "2", "listed below with the reason"),
    ]
    assert [tile[1:] for tile in content.count_tiles(unlabeled(2, decided=False), 0)] == [
        ("2", "2 without decision"), ("n/a", threshold), ("n/a", threshold), ("0", "")
    ]  # fmt: skip


def test_rows_of_metrics() -> None:
    metrics = {"my_metric": 0.5, "dice": NONE, "text": "no", "list": [1], "n": {"images": 3}, "froc": {
        "mean_sensitivity": {"value": 0.7}}}  # fmt: skip
    rows = content.metric_rows(metrics)
    assert [key for key, _, _ in rows] == ["my_metric", "dice", "froc_mean_sensitivity"]
    assert rows[1][2].reason == "no masks in [file]"
    assert rows[2][1].title == "Mean FROC sensitivity"
    assert len(content.metric_rows({str(i): i for i in range(1000)})) == content.MAX_METRICS


def test_rows_of_data_sets_and_folds() -> None:
    (row,) = content.group_rows({"brain": {"dice": 0.25, "n": {"normal": 3, "abnormal": 4}}})
    assert row[:3] == ("brain", 3, 4)
    assert [metric.value for metric in row[3]] == [None, None, 0.25, None]
    assert content.group_rows({"value": {}})[0][:3] == ("value", 0, 0)
    assert content.group_rows(None) == []


@pytest.mark.parametrize(
    ("label", "decision", "verdict", "tone"),
    [
        (1, 1, "detected", "good"),
        (1, 0, "missed", "bad"),
        (0, 1, "false alarm", "bad"),
        (0, 0, "called normal", "good"),
        (None, 1, "called abnormal", "bad"),
        (None, 0, "called normal", "plain"),
        (1, None, "no decision", "plain"),
    ],
)
def test_verdicts(label: int | None, decision: int | None, verdict: str, tone: str) -> None:
    record = CaseRecord("a", 1.0, label, decision=decision)
    ((_, _, (case,)),) = content.case_groups([record], SCORES)
    assert (case.verdict, case.tone) == (verdict, tone)


def test_cases_are_grouped_by_label() -> None:
    records = [CaseRecord(str(label), 1.0, label) for label in (1, 1, 0, None)]
    groups = content.case_groups(records, SCORES)
    assert [(title, total, len(cases)) for title, total, cases in groups] == [
        ("Abnormal", 4, 2), ("Normal", 4, 1), ("Unlabeled", 0, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("drawn", "title", "lines"),
    [
        ({}, "Mask", 1),
        ({"has_truth": True}, "Mask and truth", 2),
        ({"has_detections": True}, "Mask and detections", 2),
        ({"has_truth": True, "has_detections": True}, "Mask, truth and detections", 3),
    ],
)
def test_the_title_and_the_legend_say_what_is_outlined(drawn: dict[str, bool], title: str, lines: int) -> None:
    view = CaseView({"contours": b"3", "input": b"1"}, "Axial")
    record = CaseRecord("a", 1.0, views=[view], **drawn)
    ((_, _, (case,)),) = content.case_groups([record], SCORES)
    assert case.views == [("Axial", [("Input", b"1"), (title, b"3")])]
    assert len(content.outlines([record])) == lines
    assert content.outlines([CaseRecord("a", 1.0, **drawn)]) == []


def test_color_scale() -> None:
    record = CaseRecord("a", 1.0, map_max=2.0)
    scale = content.color_scale([record], CalibrationSummary([1.0], voxel_threshold=0.5))
    assert (scale.map_max, scale.threshold, scale.place) == (2.0, 0.5, 25.0)
    assert (scale.colors[0], scale.colors[-1], len(scale.colors)) == ("#000004", "#fcffa4", 17)
    assert content.color_scale([record], CalibrationSummary([1.0], voxel_threshold=5.0)).place == 100.0
    assert content.color_scale([record], None).threshold is None
    assert content.color_scale([], None) is None


def test_failures_name_no_files() -> None:
    failures = [("Case 9", "/data/Doe/scan.nii.gz: 3 channels found."), *[("a", "b")] * 1000]
    rows = content.failure_rows(failures)
    assert rows[0] == ("Case 9", "[file]: 3 channels found.")
    assert len(rows) == content.MAX_FAILURES
