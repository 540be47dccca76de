# SPDX-License-Identifier: Apache-2.0
"""What a report is made of: drawn cases, the scores of all cases, and the calibration they are compared with."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class CaseView:
    """What is seen of a case in one plane.

    Args:
        panels: panel name (a key of ``PANEL_TITLES``) to a JPEG file.
        plane: axial, coronal or sagittal; empty where that is not known.
        slice_index: shown slice of a volume, counted from 0 along the axis of its file across the picture.
        slice_count: number of those slices.
    """

    panels: Mapping[str, bytes] = field(repr=False)
    plane: str = ""
    slice_index: int | None = None
    slice_count: int | None = None

    @property
    def title(self) -> str:
        """Where it is.

        Example:
            >>> CaseView({}, "Axial", 12, 30).title
            'Axial, slice 12 of 0\u201329'
        """
        if self.slice_index is None or self.slice_count is None:
            return self.plane
        place = f"slice {self.slice_index} of 0\u2013{self.slice_count - 1}"
        return f"{self.plane}, {place}" if self.plane else place.capitalize()


@dataclass(frozen=True)
class CaseRecord:
    """One drawn case: a few small pictures and numbers, nothing that identifies a patient.

    Args:
        name: unique name to print; the caller vouches that it is no patient identifier.
        score: anomaly score of the image.
        label: truth, 0 normal, 1 abnormal, ``None`` unknown.
        p_value: conformal p-value of the score.
        decision: 0 normal, 1 abnormal, ``None`` without calibration.
        has_truth: whether a true mask, or true circles, are drawn.
        has_detections: whether detections are drawn.
        reason: why this case is shown.
        map_max: map value of the brightest color.
        views: its pictures, the most important view first; empty before the case is drawn.
    """

    name: str
    score: float
    label: int | None = None
    p_value: float | None = None
    decision: int | None = None
    has_truth: bool = False
    has_detections: bool = False
    reason: str = ""
    map_max: float = 1.0
    views: Sequence[CaseView] = ()


@dataclass(frozen=True)
class CalibrationSummary:
    """What the report says about the calibration on normal images.

    Args:
        scores: scores of the calibration normals.
        score_threshold: images with a larger score are called abnormal.
        voxel_threshold: map values above it are in the mask.
        image_false_positive_rate: intended share of normal images called abnormal.
        voxel_false_positive_rate: intended share of normal voxels in the mask.
        images: number of calibration images; by default the number of scores.
        subjects: number of calibration subjects, if known.
        new_subjects: share of normal voxels in the mask to expect in new subjects, and one two standard errors higher.
        datasets: data sets with calibrations of their own, which their cases are judged by instead.
        promise: sentence that says what the intended rate means; empty if nothing is decided.
        p_value_is: what a p-value is the share of, to end a sentence with.
    """

    scores: Sequence[float]
    score_threshold: float | None = None
    voxel_threshold: float | None = None
    image_false_positive_rate: float | None = None
    voxel_false_positive_rate: float | None = None
    images: int | None = None
    subjects: int | None = None
    new_subjects: tuple[float, float] | None = None
    datasets: Sequence[str] = ()
    promise: str = ""
    p_value_is: str = "the share of calibration normals, counting the image itself, that score at least as high"

    @property
    def image_count(self) -> int:
        """Number of calibration images."""
        return len(self.scores) if self.images is None else self.images

    @property
    def thresholds(self) -> list[tuple[str, float, float | None]]:
        """The known thresholds: of what, value, and intended false-positive rate."""
        known = (
            ("Score", self.score_threshold, self.image_false_positive_rate),
            ("Map", self.voxel_threshold, self.voxel_false_positive_rate),
        )
        return [(name, threshold, rate) for name, threshold, rate in known if threshold is not None]


@dataclass(frozen=True)
class Scores:
    """Scores, labels and decisions of all cases as columns of equal length.

    Args:
        score: scores; NaN where there is none.
        label: 0 normal, 1 abnormal, -1 unknown.
        decision: 0 normal, 1 abnormal, -1 undecided.
    """

    score: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    decision: npt.NDArray[np.int64]

    @classmethod
    def read(cls, rows: Iterable[Mapping[str, Any]]) -> "Scores":
        """Read score rows, as written to ``scores.csv``; every other column is ignored.

        Args:
            rows: mappings with ``anomaly_score`` (or ``score``) and, where known, ``label`` and ``decision``; numbers
                may be given as text, and an empty text or ``None`` means unknown.

        Returns:
            The columns.
        """
        # the words of medad.keys.Keys; importing them would import MONAI and with it matplotlib
        table = [(row.get("anomaly_score", row.get("score")), row.get("label"), row.get("decision")) for row in rows]
        numbers = [[math.nan if value is None or value == "" else float(value) for value in row] for row in table]
        score, label, decision = np.array(numbers, dtype=np.float64).reshape(-1, 3).T
        return cls(score, *(np.nan_to_num(column, nan=-1.0).astype(np.int64) for column in (label, decision)))

    def of(self, label: int) -> npt.NDArray[np.float64]:
        """Finite scores ``(n,)`` of the cases with a label: 0, 1, or -1 for unknown."""
        chosen: npt.NDArray[np.float64] = self.score[(self.label == label) & np.isfinite(self.score)]
        return chosen

    @property
    def has_both_labels(self) -> bool:
        """Whether there are scored normal and abnormal cases, so that curves exist."""
        return self.of(0).size > 0 and self.of(1).size > 0
