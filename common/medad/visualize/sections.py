# SPDX-License-Identifier: Apache-2.0
"""The sections of a report, each a function from data to HTML."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from .metric_names import NOT_APPLICABLE, ORACLE_NOTE, MetricValue, format_number, metric_name
from .page import brief, escape, facts, section, tag
from .panels import WINDOW_PERCENTILES
from .privacy import redact_paths
from .records import CalibrationSummary, ScoreTable

logger = logging.getLogger(__name__)

TILES = ("image_auroc", "pixel_ap", "dice", "false_positive_rate")
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
ARROWS = {
    "higher": '&nbsp;<span class="arrow" role="img" aria-label="higher is better">\u2191</span>',
    "lower": '&nbsp;<span class="arrow" role="img" aria-label="lower is better">\u2193</span>',
    "": "",
}
MAX_FAILURES = 200
MAX_METRICS = 100
MAX_PROVENANCE = 40


def header(title: str, provenance: Mapping[str, object], table: ScoreTable) -> str:
    """Title, what was evaluated, and what produced the numbers.

    Args:
        title: title of the report.
        provenance: keys of ``PROVENANCE_NAMES`` and others; what names a subject or patient is left out.
        table: scores of all cases.

    Returns:
        HTML.
    """
    present = {str(key): value for key, value in provenance.items() if not _names_a_person(str(key))}
    if len(present) < len(provenance):
        logger.warning("Entries about subjects or patients were left out of the provenance of the report.")
    keys = [key for key in PROVENANCE_NAMES if key in present or key in REQUIRED_PROVENANCE]
    keys += [key for key in present if key not in PROVENANCE_NAMES][:MAX_PROVENANCE]
    rows = {key: (PROVENANCE_NAMES.get(key, key), _provenance_value(key, present.get(key))) for key in keys}
    short = [rows[key] for key in keys if not _is_long(key, present.get(key))]
    long = [rows[key] for key in keys if _is_long(key, present.get(key))]
    return (
        f'<header>\n<h1>{escape(title, longest=200)}</h1>\n<p class="lead">{escape(_counts(table))}</p>\n'
        f'<div class="card">{brief(short)}{facts(long)}</div>\n</header>\n'
    )


def summary(
    metrics: Mapping[str, object] | None,
    table: ScoreTable,
    calibration: CalibrationSummary | None,
    failure_count: int,
) -> str:
    """The few numbers to see first: metrics where there are labels, else counts.

    Args:
        metrics: metrics, or ``None`` without labels.
        table: scores of all cases.
        calibration: the calibration, if any.
        failure_count: number of cases that failed.

    Returns:
        HTML.
    """
    if metrics:
        tiles = [_metric_tile(key, metrics.get(key), calibration) for key in TILES]
    else:
        decided = int((table.decision >= 0).sum())
        flagged = int((table.decision == 1).sum())
        undecided = "" if decided == table.score.size else f"{table.score.size - decided} without decision"
        tiles = [
            _tile("Cases", str(table.score.size), undecided),
            _tile("Called abnormal", str(flagged) if decided else None, "at the calibrated threshold"),
            _tile("Called normal", str(decided - flagged) if decided else None, "at the calibrated threshold"),
            _tile("Failed", str(failure_count), "listed below with the reason" if failure_count else ""),
        ]
    lead = "Brackets give 95 % intervals." if metrics else "No truth was given, so there are no metrics."
    return section("Summary", f'<div class="tiles">{"".join(tiles)}</div>{_calibration_note(calibration)}', lead)


def metric_table(metrics: Mapping[str, object] | None) -> str:
    """All metrics with value, interval and meaning.

    Args:
        metrics: metrics, or ``None`` without labels.

    Returns:
        HTML.
    """
    rows = []
    for key, entry in list((metrics or {}).items())[:MAX_METRICS]:
        metric = MetricValue.read(entry)
        if metric is None:
            continue
        name = metric_name(str(key))
        reason = f"Undefined: {metric.reason or 'no reason given'}. " if metric.value is None else ""
        mark = f" {tag(ORACLE_NOTE, 'bad')}" if name.oracle else ""
        shown_key = "" if name.title == key else f' <span class="key">{escape(key, longest=80)}</span>'
        unit = f" {escape(name.unit)}" if name.unit and metric.value is not None else ""
        rows.append(
            f'<tr><th scope="row">{escape(name.title, longest=80)}{ARROWS[name.better]}{shown_key}{mark}</th>'
            f'<td class="number">{format_number(metric.value)}{unit}</td><td class="number">{metric.interval}</td>'
            f'<td class="text">{escape(redact_paths(reason) + name.text, longest=400)}</td></tr>'
        )
    if not rows:
        return ""
    head = (
        '<thead><tr><th scope="col">Metric</th><th scope="col" class="number">Value</th>'
        '<th scope="col" class="number">95 % interval</th><th scope="col">Meaning</th></tr></thead>'
    )
    body = f'<div class="card scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'
    return section(
        "Metrics",
        body,
        "Intervals come from a bootstrap over subjects. \u2191 higher is better, \u2193 lower is better.",
    )


def failure_table(failures: Sequence[tuple[str, str]]) -> str:
    """Cases that could not be processed, and why.

    Args:
        failures: name, as given by the caller, and reason; file names in the reason are replaced.

    Returns:
        HTML.
    """
    rows = [
        f'<tr><th scope="row">{escape(name, longest=80)}</th>'
        f'<td class="text">{escape(redact_paths(str(reason)), longest=400)}</td></tr>'
        for name, reason in failures[:MAX_FAILURES]
    ]
    if not rows:
        return ""
    more = len(failures) - len(rows)
    note = f'<p class="quiet">And {more} more.</p>' if more else ""
    head = '<thead><tr><th scope="col">Case</th><th scope="col">Reason</th></tr></thead>'
    body = f'<div class="card scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>{note}'
    return section("Failures", body, f"{len(failures)} cases gave no result and are in no number above.")


def reading_guide() -> str:
    """How to read map, mask, score and p-value.

    Returns:
        HTML.
    """
    low, high = WINDOW_PERCENTILES
    entries: list[tuple[str, str]] = [
        (
            "Input and pseudo-healthy image",
            f"The input is windowed for display only, from percentile {low:g} to {high:g} of its values. The "
            "pseudo-healthy image, what the model expects the image to be without anomaly, has the same window. "
            "In LPS volumes the patient's left is on the right.",
        ),
        (
            "Anomaly map",
            "How much each pixel differs from what the model learned to be normal. All maps share one color scale, so "
            "equal colors mean equal values in all cases. A bright spot is a deviation, not a diagnosis: artifacts, "
            "rare anatomy and poor reconstruction are bright too.",
        ),
        (
            "Mask",
            "Where the map lies above a threshold that was fixed beforehand on normal images. A normal image may have "
            "a few such pixels.",
        ),
        (
            "p-value and decision",
            "The p-value is the share of calibration normals, counting the image itself, that score at least as high. "
            "A small one means that few normal images look this unusual. The image is called abnormal where the "
            "p-value does not exceed the intended false-positive rate. It is not the probability of being healthy, and "
            "it holds only for images like those of the calibration (scanner, protocol, population).",
        ),
        (
            "Intervals",
            "With few subjects or few lesions the intervals are wide: compare methods by them, not by the third "
            "decimal.",
        ),
        (
            "Oracle values",
            "They use the test labels to choose a threshold and cannot be reached in use. They are upper bounds.",
        ),
    ]
    items = "".join(f"<div><h3>{escape(name)}</h3><p>{escape(text)}</p></div>" for name, text in entries)
    return section("How to read this report", f'<div class="guide">{items}</div>')


def _names_a_person(key: str) -> bool:
    return any(word in key.lower() for word in ("patient", "subject_id", "subjectid", "birth"))


def _provenance_value(key: str, value: object) -> str:
    if value is None or value == "":
        return '<span class="quiet">not given</span>'
    text = escape(redact_paths(str(value)))
    return f"<code>{text}</code>" if _is_code(key) else text


def _is_long(key: str, value: object) -> bool:
    return _is_code(key) or len(str(value)) > 40


def _is_code(key: str) -> bool:
    return key.endswith("sha256") or key == "command"


def _counts(table: ScoreTable) -> str:
    parts = [f"{int((table.label == label).sum())} {name}" for label, name in ((0, "normal"), (1, "abnormal"))]
    unlabeled = int((table.label == -1).sum())
    if unlabeled == table.score.size:
        parts = ["truth unknown"]
    elif unlabeled:
        parts.append(f"{unlabeled} of unknown truth")
    cases = "case" if table.score.size == 1 else "cases"
    return f"{table.score.size} {cases}: {', '.join(parts)}" if table.score.size else "No cases"


def _tile(name: str, value: str | None, note: str) -> str:
    look = "value none" if value is None else "value"
    return (
        f'<div class="card tile"><div class="name">{escape(name)}</div>'
        f'<div class="{look}">{escape(NOT_APPLICABLE if value is None else value)}</div>'
        f'<div class="note">{escape(note, longest=200)}</div></div>'
    )


def _metric_tile(key: str, entry: object, calibration: CalibrationSummary | None) -> str:
    metric = MetricValue.read(entry) or MetricValue(None, reason="not a single value")
    title = "False-positive rate on normals" if key == "false_positive_rate" else metric_name(key).title
    if metric.value is None:
        return _tile(title, None, redact_paths(metric.reason) or "not computed")
    note = f"[{metric.interval}]" if metric.interval else "no interval"
    rate = None if calibration is None else calibration.image_false_positive_rate
    if key == "false_positive_rate" and rate is not None:
        note += f", intended {rate:g}"
    return _tile(title, format_number(metric.value), note)


def _calibration_note(calibration: CalibrationSummary | None) -> str:
    if calibration is None:
        return '<p class="quiet">Without calibration: no p-values and no decisions.</p>'
    subjects = "" if calibration.subjects is None else f" of {calibration.subjects} subjects"
    sentences = [f"Calibrated on {calibration.image_count} normal images{subjects}."]
    for name, threshold, rate in (
        ("Score", calibration.score_threshold, calibration.image_false_positive_rate),
        ("Map", calibration.voxel_threshold, calibration.voxel_false_positive_rate),
    ):
        if threshold is not None:
            intended = "" if rate is None else f" for an intended false-positive rate of {rate:g}"
            sentences.append(f"{name} threshold {threshold:.4g}{intended}.")
    if calibration.is_approximate:
        sentences.append("Some subjects have several images, weighted by subject: the intended rate is approximate.")
    if calibration.datasets:
        names = ", ".join(calibration.datasets)
        sentences.append(f"These are those over all images; cases of {names} are judged by those of their data set.")
    return f'<p class="quiet" style="margin-top:.9rem">{escape(" ".join(sentences))}</p>'
