# SPDX-License-Identifier: Apache-2.0
"""Pictures of cases, curves, and the one-file HTML report; importing this room imports neither MONAI nor matplotlib."""

from __future__ import annotations

from .contact_sheet import save_contact_sheet
from .curves import (
    figure_to_svg,
    froc_figure,
    precision_recall_figure,
    precision_recall_points,
    roc_figure,
    roc_points,
    score_histogram_figure,
    sensitivity_by_size_figure,
)
from .gallery import CaseGallery, select_cases
from .panels import CasePanels, choose_slice, color_table, display_window, draw_case, encode_jpeg
from .privacy import redact_paths
from .records import CalibrationSummary, CaseRecord
from .report import write_report

__all__ = [
    "CalibrationSummary",
    "CaseGallery",
    "CasePanels",
    "CaseRecord",
    "choose_slice",
    "color_table",
    "display_window",
    "draw_case",
    "encode_jpeg",
    "figure_to_svg",
    "froc_figure",
    "precision_recall_figure",
    "precision_recall_points",
    "redact_paths",
    "roc_figure",
    "roc_points",
    "save_contact_sheet",
    "score_histogram_figure",
    "select_cases",
    "sensitivity_by_size_figure",
    "write_report",
]
