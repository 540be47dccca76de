# SPDX-License-Identifier: Apache-2.0
"""Write one HTML file that shows an evaluation or a cohort's inference, opens offline and stays below 5 MB.

Nothing in it identifies a patient: cases go by the names the caller gives, file names are replaced, and score rows are
read for their numbers only.
"""

import io
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files import atomic_path
from . import content
from .charts import draw_charts
from .gallery import select_cases
from .metric_names import metric_name
from .panels import WINDOW_PERCENTILES, encode_jpeg
from .records import CalibrationSummary, CaseRecord, Scores
from .template import render

logger = logging.getLogger(__name__)

MAX_BYTES = 5_000_000
MAX_PANEL_SIZE = 192


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    cases: Iterable[CaseRecord],
    metrics: Mapping[str, Any] | None,
    scores: Iterable[Mapping[str, Any]],
    provenance: Mapping[str, object],
    calibration: CalibrationSummary | None = None,
    failures: Sequence[tuple[str, str]] = (),
    notes: Sequence[tuple[str, int]] = (),
    max_cases: int = 24,
    froc_curve: Sequence[Mapping[str, float]] = (),
) -> Path:
    """Write the report; the file appears whole or not at all.

    Args:
        path: the HTML file; its folder is made if need be.
        title: heading of the report.
        cases: records of one or several ``CaseGallery.records()``; ``select_cases`` chooses among them.
        metrics: name to ``{"value", "low", "high", "reason"?}``, and ``lesion_sensitivity_by_size`` as a list of
            ``{"low", "high", "n", "value"}``; ``None`` without labels. Those of several data sets by name under
            ``datasets``, those of the folds of a cross-validation under ``folds``.
        scores: rows as in ``scores.csv``: ``anomaly_score`` (or ``score``), ``label``, ``decision``; other columns are
            ignored.
        provenance: what :func:`run_provenance` says, ``date``, ``weights_sha256``, ``config_sha256``,
            ``calibration_sha256`` and others, printed with paths replaced.
        calibration: what the scores are compared with.
        failures: name and reason of cases without a result.
        notes: what makes results less reliable than they look, and how many cases it holds for.
        max_cases: how many cases to show.
        froc_curve: rows of ``froc.csv``; the sensitivities read from it are in ``metrics`` under ``froc``.

    Returns:
        The path of the file.

    Raises:
        ValueError: if the cases were drawn with different color scales.
    """
    chosen = [_shrink_panels(record) for record in select_cases(cases, max_cases)]
    if len({record.map_max for record in chosen}) > 1:
        raise ValueError("The cases were drawn with different map_max: their colors cannot be compared.")
    table = Scores.read(scores)
    overall = {key: value for key, value in (metrics or {}).items() if key not in ("datasets", "folds")}
    values = {
        "title": title,
        "counts": content.count_cases(table),
        "provenance": content.provenance_facts(provenance),
        "tiles": content.metric_tiles(overall, calibration) if overall else content.count_tiles(table, len(failures)),
        "calibration": calibration,
        "first_metrics": [metric_name(key) for key in content.FIRST_METRICS],
        "datasets": content.group_rows((metrics or {}).get("datasets")),
        "folds": content.group_rows((metrics or {}).get("folds")),
        "has_metrics": bool(overall),
        "metrics": content.metric_rows(overall),
        "charts": draw_charts(overall, table, calibration, froc_curve),
        "failures": content.failure_rows(failures),
        "failure_count": len(failures),
        "notes": content.note_rows(notes),
        "window": WINDOW_PERCENTILES,
    }
    shown = _thin_out(chosen, MAX_BYTES - 100_000 - len(render(**values, groups=[]).encode()))
    document = render(
        **values,
        groups=content.case_groups(shown, table),
        left_out=len(chosen) - len(shown),
        scale=content.color_scale(shown, calibration),
        outlines=content.outlines(shown),
    )
    target = Path(path)
    with atomic_path(target) as partial:
        partial.write_text(document, encoding="utf-8")
    logger.info("Report with %d of %d cases, %.1f MB.", len(shown), len(table.score), target.stat().st_size / 1e6)
    return target


def _thin_out(records: Sequence[CaseRecord], room: int) -> list[CaseRecord]:
    """Leave out the last views of all cases, and then cases evenly over the list, until all fit."""
    kept = list(records)
    for count in range(max((len(record.views) for record in kept), default=0), 0, -1):
        kept = [replace(record, views=record.views[:count]) for record in kept]
        if sum(_size(record) for record in kept) <= room:
            return kept
    while kept and sum(_size(record) for record in kept) > room:
        count = len(kept) - max(1, len(kept) // 8)
        kept = [kept[index * len(kept) // count] for index in range(count)]
    return kept


def _size(record: CaseRecord) -> int:
    """Bytes of a record in the page: base64 takes 4 bytes for 3; 4 kB for its text."""
    return sum(4 * (len(jpeg) + 2) // 3 for view in record.views for jpeg in view.panels.values()) + 4_000


def _shrink_panels(record: CaseRecord) -> CaseRecord:
    views = [replace(view, panels={name: _shrink(jpeg) for name, jpeg in view.panels.items()}) for view in record.views]
    return replace(record, views=views)


def _shrink(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as picture:
        if max(picture.size) <= MAX_PANEL_SIZE:
            return jpeg
        smaller = picture.convert("RGB")
        smaller.thumbnail((MAX_PANEL_SIZE, MAX_PANEL_SIZE))
    return encode_jpeg(np.asarray(smaller))
