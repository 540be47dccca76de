# SPDX-License-Identifier: Apache-2.0
"""Kept cases: what the report of a resumed run shows of the cases that an earlier run has finished."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import Tensor

from ..anomaly_map.file_grid import to_file_grid
from ..datalists.items import FAILURE
from ..files import read_csv
from ..keys import Keys
from ..loading import CaseDataset
from ..report import CaseRecord
from .saved_arrays import read_saved

_logger = logging.getLogger(__name__)


class KeptCases:
    """Rows of an earlier run's tables, and the arrays behind them: maps as they were saved, images loaded again.

    Args:
        folder: of the run.
        dataset: cases of the cohort.
        pred_name: what the earlier run called its masks.
    """

    def __init__(self, folder: Path, dataset: CaseDataset, pred_name: str = "mask") -> None:
        self.folder = folder
        self.dataset = dataset
        self.pred_name = pred_name
        self.rows = {row["case"]: row for row in read_csv(folder / "scores.csv")}

    def scores(self) -> list[dict[str, Any]]:
        """Score rows for the report."""
        return [{"anomaly_score": row["score"], "decision": row["decision"]} for row in self.rows.values()]

    def datasets(self) -> set[str | None]:
        """Names of the data sets that the cases come from."""
        return {row.get("dataset") or None for row in self.rows.values()}

    def notes(self) -> Counter[str]:
        """Notes on the cases, with the number of cases that have each."""
        return Counter(row.get("note", "") for row in self.rows.values())

    def records(self) -> list[CaseRecord]:
        """The cases, not drawn."""
        return [
            CaseRecord(
                case,
                float(row["score"]),
                p_value=float(row["p_value"]) if row["p_value"] else None,
                decision=int(row["decision"]) if row["decision"] else None,
            )
            for case, row in self.rows.items()
        ]

    def arrays(self, case: str) -> dict[str, Any] | None:
        """Give what the report draws of a case.

        Args:
            case: its name.

        Returns:
            ``image``, ``anomaly_map`` and, where they were saved, ``reconstruction``, ``mask`` and ``detections``; or
            ``None`` if there is nothing to draw.
        """
        try:
            image = self._image(case)
            saved = {
                name: read_saved(self.folder / case / f"{case}_{what}", image.ndim - 1)
                for name, what in (
                    ("anomaly_map", "anomaly_map"),
                    ("reconstruction", "reconstruction"),
                    ("mask", self.pred_name),
                )
            }
        except Exception:  # one picture less is no reason to lose the report
            _logger.debug("%s cannot be drawn", case, exc_info=True)
            return None
        if saved["anomaly_map"] is None:
            return None
        arrays: dict[str, Any] = {
            name: MetaTensor(torch.from_numpy(array), affine=image.affine)
            for name, array in saved.items()
            if array is not None
        }
        return {**arrays, "image": image, "detections": self._detections(case, image.ndim - 1)}

    def _image(self, case: str) -> MetaTensor:
        index = next(i for i, item in enumerate(self.dataset.data) if item[Keys.CASE] == case)
        item, transform = self.dataset[index], self.dataset.transform
        if FAILURE in item or not isinstance(transform, Compose):
            raise ValueError(item.get(FAILURE, "its preprocessing cannot be inverted"))
        back: Mapping[Any, Any] = to_file_grid(transform)({Keys.IMAGE: item[Keys.IMAGE]})
        return back[Keys.IMAGE]

    def _detections(self, case: str, axes: int) -> Tensor | None:
        """Centers and sizes of what was found ``(n, axes + 1)``."""
        table = self.folder / "detections.csv"
        if not table.is_file():
            return None
        rows = [row for row in read_csv(table) if row["case"] == case]
        numbers = [[float(row[name]) for name in (*"xyz"[:axes], "size")] for row in rows]
        return torch.tensor(numbers, dtype=torch.float64).reshape(-1, axes + 1)
