# SPDX-License-Identifier: Apache-2.0
"""Pictures of cases, curves, and the one-file HTML report; importing this room imports neither MONAI nor matplotlib."""

from .case_pictures import draw_case
from .contact_sheet import save_contact_sheet
from .gallery import CaseGallery, select_cases
from .page import write_report
from .privacy import redact_paths
from .provenance import run_provenance
from .records import CalibrationSummary, CaseRecord, CaseView

__all__ = [
    "CalibrationSummary",
    "CaseGallery",
    "CaseRecord",
    "CaseView",
    "draw_case",
    "redact_paths",
    "run_provenance",
    "save_contact_sheet",
    "select_cases",
    "write_report",
]
