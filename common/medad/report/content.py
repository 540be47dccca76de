# SPDX-License-Identifier: Apache-2.0
"""The content of a report: plain values for its template, made from metrics, scores and drawn cases.

Nothing here is HTML: the template escapes what it prints. What may name a file or a person is replaced or left out.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from .metric_names import MetricName, metric_name
from .panels import DETECTION_COLOR, MASK_COLOR, PANEL_TITLES, TRUTH_COLOR, color_table
from .privacy import redact_paths
from .records import CalibrationSummary, CaseRecord, Scores
from .values import NOT_APPLICABLE, MetricValue, format_number

logger = logging.getLogger(__name__)

FIRST_METRICS = ("image_auroc", "pixel_ap", "dice", "false_positive_rate")
"""The metrics to see first: of all cases, of each data set and of each fold."""
PROVENANCE_NAMES = {
    "bundle": "Bundle",
    "version": "Version",
    "date": "Date",
    "weights_sha256": "Weights, SHA-256",
    "config_sha256": "Configuration, SHA-256",
    "calibration_sha256": "Calibration, SHA-256",
    "medad": "medad",
    "monai": "MONAI",
    "torch": "PyTorch",
    "python": "Python",
    "device": "Device",
    "seed": "Seed",
    "command": "Command",
}
REQUIRED_PROVENANCE = ("bundle", "version", "weights_sha256", "config_sha256", "calibration_sha256")
LABEL_TITLES = {1: "Abnormal", 0: "Normal", None: "Unlabeled"}
VERDICTS: dict[tuple[int | None, int | None], tuple[str, str]] = {
    (1, 1): ("detected", "good"),
    (1, 0): ("missed", "bad"),
    (0, 1): ("false alarm", "bad"),
    (0, 0): ("called normal", "good"),
    (None, 1): ("called abnormal", "bad"),
    (None, 0): ("called normal", "plain"),
}
"""Text and tone of the tag of a case, by truth and decision."""
MAX_FACTS = 40
MAX_GROUPS = 100
MAX_METRICS = 100
MAX_FAILURES = 200
MAX_NOTES = 20


class Fact(NamedTuple):
    """An entry of the provenance; a long one has a line of its own."""

    name: str
    value: str
    is_code: bool
    is_long: bool


class ShownCase(NamedTuple):
    """A case with its verdict and its views: the title of each, and its pictures with theirs."""

    record: CaseRecord
    verdict: str
    tone: str
    views: list[tuple[str, list[tuple[str, bytes]]]]


class ColorScale(NamedTuple):
    """The colors of the anomaly map from 0 to ``map_max``; ``place`` is that of the threshold in percent."""

    colors: list[str]
    map_max: float
    threshold: float | None
    place: float


def count_cases(scores: Scores) -> str:
    """Say how many cases of which label there are.

    Example:
        >>> count_cases(Scores(np.array([0.1, 0.9, 0.5]), np.array([0, 1, -1]), np.array([0, 1, 1])))
        '3 cases: 1 normal, 1 abnormal, 1 of unknown truth'
    """
    total = scores.score.size
    normal, abnormal, unlabeled = (int((scores.label == label).sum()) for label in (0, 1, -1))
    if total == 0:
        return "No cases"
    parts = [f"{normal} normal", f"{abnormal} abnormal", *([f"{unlabeled} of unknown truth"] if unlabeled else [])]
    return f"{total} {'case' if total == 1 else 'cases'}: {'truth unknown' if unlabeled == total else ', '.join(parts)}"


def provenance_facts(provenance: Mapping[str, object]) -> list[Fact]:
    """List what produced the numbers: known entries in a fixed order, the required ones even without a value.

    Paths are replaced, and entries about subjects or patients left out.
    """
    entries = {str(key): value for key, value in provenance.items() if not _names_a_person(str(key))}
    if len(entries) < len(provenance):
        logger.warning("Entries about subjects or patients were left out of the provenance of the report.")
    keys = [key for key in PROVENANCE_NAMES if key in entries or key in REQUIRED_PROVENANCE]
    facts = []
    for key in keys + [key for key in entries if key not in PROVENANCE_NAMES][:MAX_FACTS]:
        value = "" if entries.get(key) is None else redact_paths(str(entries[key]))
        is_code = key.endswith("sha256") or key == "command"
        facts.append(Fact(PROVENANCE_NAMES.get(key, key), value, is_code, is_code or len(value) > 40))
    return facts


def metric_tiles(metrics: Mapping[str, object], calibration: CalibrationSummary | None) -> list[tuple[str, str, str]]:
    """Title, value and note of the first metrics of a run with labels."""
    tiles = []
    for key in FIRST_METRICS:
        metric = _read_metric(metrics.get(key)) or MetricValue(None, reason="not a single value")
        note = f"[{metric.interval}]" if metric.interval else "no interval"
        if metric.value is None:
            note = metric.reason or "not computed"
        elif key == "false_positive_rate" and calibration and calibration.image_false_positive_rate is not None:
            note += f", intended {calibration.image_false_positive_rate:g}"
        tiles.append((metric_name(key).title, format_number(metric.value), note))
    return tiles


def count_tiles(scores: Scores, failures: int) -> list[tuple[str, str, str]]:
    """Title, value and note of the counts of a run without labels."""
    total, decided = scores.score.size, int((scores.decision >= 0).sum())
    abnormal, normal = (str(int((scores.decision == d).sum())) if decided else NOT_APPLICABLE for d in (1, 0))
    return [
        ("Cases", str(total), f"{total - decided} without decision" if decided < total else ""),
        ("Called abnormal", abnormal, "at the calibrated threshold"),
        ("Called normal", normal, "at the calibrated threshold"),
        ("Failed", str(failures), "listed below with the reason" if failures else ""),
    ]


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, MetricName, MetricValue]]:
    """Key, presentation and value of all metrics that are a single value."""
    if "froc" in metrics:
        metrics = {**metrics, "froc_mean_sensitivity": metrics["froc"]["mean_sensitivity"]}
    read = [(str(key), _read_metric(entry)) for key, entry in list(metrics.items())[:MAX_METRICS]]
    return [(key, metric_name(key), metric) for key, metric in read if metric is not None]


def group_rows(groups: Mapping[str, Mapping[str, Any]] | None) -> list[tuple[str, int, int, list[MetricValue]]]:
    """Name, numbers of normal and abnormal images, and ``FIRST_METRICS`` of each data set or fold."""
    return [
        (
            name,
            *(metrics.get("n", {}).get(label, 0) for label in ("normal", "abnormal")),
            [MetricValue.read(metrics.get(key)) or MetricValue(None) for key in FIRST_METRICS],
        )
        for name, metrics in list((groups or {}).items())[:MAX_GROUPS]
    ]


def case_groups(records: Iterable[CaseRecord], scores: Scores) -> list[tuple[str, int, list[ShownCase]]]:
    """Title, number of all cases and shown cases of each label, from records in the order of ``select_cases``."""
    totals = {label: int((scores.label == (-1 if label is None else label)).sum()) for label in LABEL_TITLES}
    return [
        (LABEL_TITLES[label], totals[label], [_shown_case(record) for record in cases])
        for label, cases in groupby(records, key=lambda record: record.label)
    ]


def color_scale(records: Sequence[CaseRecord], calibration: CalibrationSummary | None) -> ColorScale | None:
    """Describe the colors of all anomaly maps; without cases there are none."""
    if not records:
        return None
    colors = [f"#{bytes(color).hex()}" for color in color_table()[np.linspace(0, 255, 17).astype(np.intp)]]
    map_max, threshold = records[0].map_max, None if calibration is None else calibration.voxel_threshold
    return ColorScale(colors, map_max, threshold, 100 * min(max((threshold or 0) / map_max, 0), 1))


def outlines(records: Sequence[CaseRecord]) -> list[tuple[str, tuple[int, int, int]]]:
    """Name the lines in the pictures, with their colors; none where nothing is outlined."""
    lines = (
        ("Predicted mask", MASK_COLOR, True),
        ("Truth", TRUTH_COLOR, any(record.has_truth for record in records)),
        ("Highest-scored detections", DETECTION_COLOR, any(record.has_detections for record in records)),
    )
    is_outlined = any("contours" in view.panels for record in records for view in record.views)
    return [(name, color) for name, color, is_drawn in lines if is_drawn and is_outlined]


def failure_rows(failures: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """List the cases that gave no result, and why."""
    return [(name, redact_paths(str(reason))) for name, reason in failures[:MAX_FAILURES]]


def note_rows(notes: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """List what makes results less reliable, and the number of cases."""
    return [(redact_paths(note), count) for note, count in notes[:MAX_NOTES]]


def _names_a_person(key: str) -> bool:
    return any(word in key.lower() for word in ("patient", "subject_id", "subjectid", "birth"))


def _read_metric(entry: object) -> MetricValue | None:
    metric = MetricValue.read(entry)
    return metric and metric._replace(reason=redact_paths(metric.reason))


def _shown_case(record: CaseRecord) -> ShownCase:
    outlined = ["Mask", *(["truth"] if record.has_truth else []), *(["detections"] if record.has_detections else [])]
    *others, last = outlined
    titles = {**PANEL_TITLES, "contours": f"{', '.join(others)} and {last}" if others else last}
    views = [
        (view.title, [(title, view.panels[name]) for name, title in titles.items() if name in view.panels])
        for view in record.views
    ]
    return ShownCase(record, *VERDICTS.get((record.label, record.decision), ("no decision", "plain")), views)
