# SPDX-License-Identifier: Apache-2.0
"""Write one HTML file that shows an evaluation or a cohort's inference, opens offline and stays below 5 MB.

Nothing in it identifies a patient: cases go by the names the caller gives, file names are replaced, and score rows are
read for their numbers only.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .case_section import case_gallery
from .chart_section import charts
from .gallery import select_cases
from .group_section import dataset_table, fold_table
from .page import page
from .panels import encode_jpeg
from .records import CalibrationSummary, CaseRecord, read_scores
from .sections import failure_table, header, metric_table, reading_guide, summary

logger = logging.getLogger(__name__)

MAX_BYTES = 5_000_000
MAX_PANEL_SIZE = 192


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    cases: Iterable[CaseRecord],
    metrics: Mapping[str, Any] | None,
    scores: Iterable[Mapping[str, object]],
    provenance: Mapping[str, object],
    calibration: CalibrationSummary | None = None,
    failures: Sequence[tuple[str, str]] = (),
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
        provenance: ``bundle``, ``version``, ``date``, ``weights_sha256``, ``config_sha256``, ``calibration_sha256``,
            ``medad``, ``monai``, ``torch``, ``command`` and others, printed with paths replaced.
        calibration: what the scores are compared with.
        failures: name and reason of cases without a result.
        max_cases: how many cases to show.
        froc_curve: rows of ``froc.csv``; the sensitivities read from it are in ``metrics`` under ``froc``.

    Returns:
        The path of the file.

    Raises:
        ValueError: if the cases were drawn with different color scales.
    """
    chosen = select_cases(cases, max_cases)
    if len({record.map_max for record in chosen}) > 1:
        raise ValueError("The cases were drawn with different map_max: their colors cannot be compared.")
    table = read_scores(scores)
    overall = None if metrics is None else _overall(metrics)
    above = [
        header(title, provenance, table),
        summary(overall, table, calibration, len(failures)),
        dataset_table((metrics or {}).get("datasets")),
        fold_table((metrics or {}).get("folds")),
        metric_table(overall),
        charts(overall, table, calibration, froc_curve),
    ]
    below = [failure_table(failures), reading_guide()]
    voxel_threshold = None if calibration is None else calibration.voxel_threshold
    shown = _within_budget(chosen, MAX_BYTES - _size("".join(above + below)) - 100_000)
    gallery = case_gallery(shown, table, voxel_threshold, len(chosen) - len(shown))
    document = page(title, "\n".join([*above, gallery, *below]))

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.partial")
    temporary.write_text(document, encoding="utf-8")
    temporary.replace(target)
    logger.info("Report with %d of %d cases, %.1f MB.", len(shown), len(table.score), _size(document) / 1e6)
    return target


def _overall(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics of everything, without those of its parts."""
    overall = {key: value for key, value in metrics.items() if key not in ("datasets", "folds")}
    if "froc" in metrics:
        overall["froc_mean_sensitivity"] = metrics["froc"]["mean_sensitivity"]
    return overall


def _within_budget(records: list[CaseRecord], budget: int) -> list[CaseRecord]:
    """Scale pictures down to the panel size, and leave out cases evenly over the list until all fit."""
    small = [replace(r, panels={name: _shrink(jpeg) for name, jpeg in r.panels.items()}) for r in records]
    while small and sum(_record_size(record) for record in small) > budget:
        keep = max(0, len(small) - max(1, len(small) // 8))
        small = [small[index * len(small) // keep] for index in range(keep)] if keep else []
    return small


def _shrink(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as picture:
        if max(picture.size) <= MAX_PANEL_SIZE:
            return jpeg
        smaller = picture.convert("RGB")
        smaller.thumbnail((MAX_PANEL_SIZE, MAX_PANEL_SIZE))
    return encode_jpeg(np.asarray(smaller))


def _record_size(record: CaseRecord) -> int:
    """Bytes of a record in the page: base64 takes 4 bytes for 3; 4 kB for its text."""
    return sum(4 * (len(jpeg) + 2) // 3 for jpeg in record.panels.values()) + 4_000


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
