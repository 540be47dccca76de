# SPDX-License-Identifier: Apache-2.0
"""A few metrics of every data set, or of every fold, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .metric_names import MetricValue, format_number, metric_name
from .page import escape, section
from .sections import ARROWS, TILES

MAX_GROUPS = 100

Groups = Mapping[str, Mapping[str, Any]]


def dataset_table(datasets: Groups | None) -> str:
    """One row per data set: its images and the metrics to see first, with their intervals.

    Args:
        datasets: metrics by name of the data set, or ``None`` if there is one data set only.

    Returns:
        HTML.
    """
    lead = "The same metrics within each data set; metrics.json has all of them, and why one is undefined."
    return _table("Data sets", "Data set", datasets, lead)


def fold_table(folds: Groups | None) -> str:
    """One row per fold of a cross-validation.

    Args:
        folds: metrics by name of the fold, or ``None`` if there are none.

    Returns:
        HTML.
    """
    lead = (
        "Each fold has a model and a calibration of its own, and tests other subjects. All other numbers here are of "
        "the cases of all folds together; scores and maps were standardized by the calibration of their fold."
    )
    return _table("Folds", "Fold", folds, lead)


def _table(title: str, kind: str, groups: Groups | None, lead: str) -> str:
    if not groups:
        return ""
    names = [metric_name(key) for key in TILES]
    titles = "".join(f'<th scope="col" class="number">{escape(name.title)}{ARROWS[name.better]}</th>' for name in names)
    head = f'<thead><tr><th scope="col">{kind}</th><th scope="col" class="number">Images</th>{titles}</tr></thead>'
    rows = [_row(name, metrics) for name, metrics in list(groups.items())[:MAX_GROUPS]]
    body = f'<div class="card scroll datasets"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'
    return section(title, body, lead)


def _row(name: str, metrics: Mapping[str, Any]) -> str:
    counts = metrics.get("n", {})
    images = f"{counts.get('normal', 0)} normal, {counts.get('abnormal', 0)} abnormal"
    values = [MetricValue.read(metrics.get(key)) or MetricValue(None) for key in TILES]
    cells = "".join(
        f'<td class="number">{format_number(value.value)} <span class="key">{value.interval}</span></td>'
        for value in values
    )
    return f'<tr><th scope="row">{escape(name, longest=80)}</th><td class="number">{images}</td>{cells}</tr>'
