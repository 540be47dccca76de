# SPDX-License-Identifier: Apache-2.0
"""The report's cases: the rule of the choice, the color scale, and each case with its numbers and panels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from .metric_names import format_number, format_p_value
from .page import escape, facts, picture, section, tag
from .panels import DETECTION_COLOR, MASK_COLOR, PANEL_TITLES, TRUTH_COLOR, color_table
from .records import CaseRecord, ScoreTable

LABEL_NAMES = {1: "Abnormal", 0: "Normal", None: "Unlabeled"}
VERDICTS: dict[tuple[int | None, int | None], tuple[str, str]] = {
    (1, 1): ("detected", "good"),
    (1, 0): ("missed", "bad"),
    (0, 1): ("false alarm", "bad"),
    (0, 0): ("called normal", "good"),
    (None, 1): ("called abnormal", "bad"),
    (None, 0): ("called normal", "quietly"),
}
"""Text and kind of the label of a case, by truth and decision."""


def case_gallery(cases: Sequence[CaseRecord], table: ScoreTable, voxel_threshold: float | None, left_out: int) -> str:
    """The chosen cases, with the rule of the choice and the color scale.

    Args:
        cases: records in the order of ``select_cases``.
        table: scores of all cases, for the counts.
        voxel_threshold: calibrated threshold of the map, marked on the color scale.
        left_out: number of chosen cases left out to keep the file small.

    Returns:
        HTML.
    """
    if not cases:
        return ""
    rule = (
        "Chosen by rule, not by eye: of each group the worst scores (lowest-scored abnormal, highest-scored normal or "
        "unlabeled) and a fixed pseudo-random sample of the others (by the SHA-256 of the case name)."
    )
    if left_out:
        rule += f" {left_out} more were left out to keep this file small."
    parts = [f'<div class="card">{_color_scale(cases[0].map_max, voxel_threshold)}{_contour_legend(cases)}</div>']
    for label, group in groupby(cases, key=lambda record: record.label):
        records = list(group)
        total = int((table.label == (-1 if label is None else label)).sum())
        shown = f"{len(records)} of {total} shown" if total >= len(records) else f"{len(records)} shown"
        parts.append(f'<h3 class="group">{LABEL_NAMES[label]} <span class="key">{shown}</span></h3>')
        parts += [_case(record) for record in records]
    return section("Cases", "\n".join(parts), rule)


def _color_scale(map_max: float, threshold: float | None) -> str:
    table = color_table()[np.linspace(0, 255, 17).astype(np.intp)]
    stops = ", ".join(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in table)
    mark = note = ""
    if threshold is not None:
        mark = f'<span class="mark" style="left:{100 * min(max(threshold / map_max, 0), 1):.1f}%"></span>'
        note = f"; the mark is the calibrated threshold, {threshold:.4g}"
    return (
        f'<div class="scale"><span>0</span><div class="bar" role="img" aria-label="color scale" '
        f'style="background:linear-gradient(90deg, {stops})">{mark}</div><span>\u2265 {map_max:.4g}</span></div>'
        f'<p class="quiet" style="margin:.5rem 0 0">Anomaly map: one scale for all cases{note}.</p>'
    )


def _contour_legend(cases: Sequence[CaseRecord]) -> str:
    if not any("contours" in record.panels for record in cases):
        return ""
    entries = [("Predicted mask", MASK_COLOR)]
    if any(record.has_truth for record in cases):
        entries.append(("Truth", TRUTH_COLOR))
    if any(record.has_detections for record in cases):
        entries.append(("Highest-scored detections", DETECTION_COLOR))
    items = (f'<span><span class="line" style="color:rgb{color}"></span>{name}</span>' for name, color in entries)
    return f'<div class="legend">{"".join(items)}</div>'


def _case(record: CaseRecord) -> str:
    rows = [("Score", format_number(record.score)), ("p-value", format_p_value(record.p_value))]
    if record.slice_index is not None and record.slice_count is not None:
        rows.append(("Slice", f"{record.slice_index} of 0\u2013{record.slice_count - 1}"))
    why = f'<p class="why">Shown as: {escape(record.reason)}</p>' if record.reason else ""
    name = escape(record.name, longest=80)
    outlined = ["Mask", *(["truth"] if record.has_truth else []), *(["detections"] if record.has_detections else [])]
    titles = {
        **PANEL_TITLES,
        "contours": " and ".join([", ".join(outlined[:-1]), outlined[-1]] if outlined[1:] else outlined),
    }
    figures = "".join(
        f"<figure>{picture(record.panels[panel], f'{record.name[:80]}: {titles[panel]}')}"
        f"<figcaption>{titles[panel]}</figcaption></figure>"
        for panel in titles
        if panel in record.panels
    )
    numbers = facts([(key, escape(value)) for key, value in rows])
    return (
        f'<article class="case"><div><h4>{name}</h4>{_verdict(record)}{numbers}{why}</div>'
        f'<div class="panels">{figures}</div></article>'
    )


def _verdict(record: CaseRecord) -> str:
    return tag(*VERDICTS.get((record.label, record.decision), ("no decision", "quietly")))
