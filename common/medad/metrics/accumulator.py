# SPDX-License-Identifier: Apache-2.0
"""Accumulated metrics: case by case in bounded memory, merged over ranks by addition."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..checks import check_at_least, check_within
from ..errors import InputError
from .bootstrap import RESAMPLES
from .case import case_statistics
from .histogram import MANTISSA_BITS, SUBJECT_MANTISSA_BITS, ScoreHistogram, add_histograms, coarsen
from .lesion import DETECTION_FRACTION, SIZE_EDGES
from .region_overlap import FPR_LIMIT
from .statistics import ImageRecord
from .summary import SubjectState, summarize

_PENDING_BINS = 2**19


class AnomalyMetrics:
    """Metrics of a data set: image level, voxel level, lesion level, with subject-level bootstrap intervals.

    The state is one fine score histogram (0.024 % bins, at most some MB), for each subject a coarse one (0.8 % bins,
    about 40 kB for a volume) with a few counts, and four fields per image; it does not grow with the number of voxels.

    Args:
        size_edges: lesion sizes in voxels at which a new stratum starts, ascending.
        detection_fraction: share of a lesion's voxels that the mask must cover for the lesion to count as found.
        fpr_limit: upper end of the AUPRO integral.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> import torch
        >>> metrics = AnomalyMetrics()
        >>> for index in range(4):
        ...     mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
        ...     mask[:, 2:4, 2:4] = index % 2
        ...     metrics.update(mask + 0.5, mask, mask, subject_id=f"s{index}", case=f"c{index}")
        ...     metrics.update_image(float(index % 2), index % 2, index % 2, f"s{index}")
        >>> metrics.compute(bootstrap=100)["pixel_ap"]
        {'value': 1.0, 'low': 1.0, 'high': 1.0}
    """

    def __init__(
        self,
        size_edges: Sequence[int] = SIZE_EDGES,
        detection_fraction: float = DETECTION_FRACTION,
        fpr_limit: float = FPR_LIMIT,
    ) -> None:
        if list(size_edges) != sorted(set(size_edges)) or any(edge < 2 for edge in size_edges):
            raise ValueError(f"size_edges is {list(size_edges)}; expected ascending voxel counts of at least 2.")
        check_within("[0, 1]", detection_fraction=detection_fraction)
        check_within("(0, 1]", fpr_limit=fpr_limit)
        self.size_edges = tuple(int(edge) for edge in size_edges)
        self.detection_fraction = detection_fraction
        self.fpr_limit = fpr_limit
        self.reset()

    def reset(self) -> None:
        """Forget everything that was counted."""
        self._subjects: dict[str, SubjectState] = {}
        self._images: list[ImageRecord] = []
        self._map_cases: set[str] = set()
        self._image_cases: set[str] = set()
        self._pending: list[ScoreHistogram] = []

    def update(
        self, anomaly_map: Tensor, mask: Tensor | None, pred: Tensor | None = None, *, subject_id: str, case: str
    ) -> None:
        """Count the voxels of one case.

        Do not call this for an abnormal image whose abnormal voxels are unknown: without a mask all voxels count as
        normal.

        Args:
            anomaly_map: ``(1, *spatial)`` finite scores, 2D or 3D, on any device.
            mask: ``(1, *spatial)`` 0/1 truth on the same grid; None for a normal image.
            pred: ``(1, *spatial)`` 0/1 predicted mask; None if there is none.
            subject_id: whose image it is.
            case: unique name of the image.

        Raises:
            InputError: if shapes or values do not fit, or the case was counted before.
        """
        _check_new(case, self._map_cases)
        statistics = case_statistics(
            anomaly_map,
            mask,
            pred,
            case=case,
            size_edges=self.size_edges,
            detection_fraction=self.detection_fraction,
        )
        self._map_cases.add(case)
        coarse = coarsen(statistics.histogram, MANTISSA_BITS - SUBJECT_MANTISSA_BITS)
        self._add_subject(subject_id, statistics.counts, coarse)
        self._add_fine(statistics.histogram)

    def update_image(
        self, score: float, label: int, decision: int | None, subject_id: str, *, case: str | None = None
    ) -> None:
        """Count the result of one image.

        Args:
            score: anomaly score, finite.
            label: 0 normal, 1 abnormal.
            decision: 0 normal, 1 abnormal, None if none was made.
            subject_id: whose image it is.
            case: unique name of the image; with it, counting an image twice is refused.

        Raises:
            InputError: if a value does not fit, or the case was counted before.
        """
        where = case if case is not None else f"subject {subject_id}"
        if not math.isfinite(score):
            raise InputError(
                f"score {score}", where=where, expected="a finite score", remedy="Check the anomaly map of the image."
            )
        if label not in (0, 1) or decision not in (0, 1, None):
            raise InputError(
                f"label {label}, decision {decision}",
                where=where,
                expected="0 (normal) or 1 (abnormal)",
                remedy="Correct the label in the data list.",
            )
        if case is not None:
            _check_new(case, self._image_cases)
            self._image_cases.add(case)
        record = ImageRecord(float(score), int(label), None if decision is None else int(decision), str(subject_id))
        kind = "abnormal" if record.label else "normal"
        counts = Counter({f"{kind}_images": 1})
        if record.decision is not None:
            counts.update({f"{kind}_decided": 1, f"{kind}_flagged": record.decision})
        self._images.append(record)
        self._add_subject(record.subject_id, counts, None)

    @property
    def histogram(self) -> ScoreHistogram:
        """Fine score histogram of all voxels (``MANTISSA_BITS``); :func:`key_values` gives the scores of its bins."""
        self._pending = [add_histograms(self._pending)]
        return self._pending[0]

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain tensors, numbers and names, to be gathered over ranks for :meth:`merge`."""
        return {
            "settings": self._settings(),
            "histogram": tuple(self.histogram),
            "subjects": {
                name: {"counts": dict(subject.counts), "histogram": tuple(subject.histogram)}
                for name, subject in self._subjects.items()
            },
            "images": [tuple(record) for record in self._images],
            "map_cases": sorted(self._map_cases),
            "image_cases": sorted(self._image_cases),
        }

    @classmethod
    def merge(cls, states: Sequence[Mapping[str, Any]]) -> "AnomalyMetrics":
        """Join the states of several ranks; the split of the cases over them does not matter.

        Args:
            states: results of :meth:`state_dict`, at least one.

        Returns:
            The accumulator that would have counted all cases alone.

        Raises:
            InputError: if a case occurs twice, as when a distributed sampler repeats cases to make ranks even.
            ValueError: if there is no state or the states were made with different settings.
        """
        settings = [state["settings"] for state in states]
        if not states or any(other != settings[0] for other in settings):
            raise ValueError(
                f"The states have settings {settings}; expected at least one state, all with equal settings."
            )
        merged = cls(**settings[0])
        for state in states:
            for cases, known in ((state["map_cases"], merged._map_cases), (state["image_cases"], merged._image_cases)):
                for case in cases:
                    _check_new(case, known)
                known.update(cases)
            for name, subject in state["subjects"].items():
                merged._add_subject(name, Counter(subject["counts"]), ScoreHistogram(*subject["histogram"]))
            merged._images += [ImageRecord(*record) for record in state["images"]]
            merged._add_fine(ScoreHistogram(*state["histogram"]))
        return merged

    def compute(self, bootstrap: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
        """Compute all metrics of what was counted so far.

        ``image_auroc``, ``image_ap``: of the image scores, exact. ``pixel_auroc``, ``pixel_ap``, ``fpr95``
        (share of the normal voxels at or above the threshold that finds 95 % of the abnormal ones), ``aupro``,
        ``oracle_dice`` and ``oracle_threshold`` (best over all thresholds): of all voxels pooled. ``dice``:
        pooled, at the given masks. ``false_positive_rate``, ``true_positive_rate``: share of normal and
        abnormal images decided abnormal. ``pixel_false_positive_rate``: share in the mask of the voxels of
        images without a lesion. ``lesion_sensitivity``: share of lesions found. ``false_positives_per_image``:
        components of the mask that touch no lesion, per image with a mask.

        Args:
            bootstrap: number of resamples of the subjects; 0 for no intervals.
            seed: seed of the resampling.

        Returns:
            JSON-serializable dictionary: each metric as ``{"value", "low", "high"}`` with a ``"reason"`` where one of
            them is None; ``lesion_sensitivity_by_size``, a list of ``{"low", "high", "unit", "n", "value", "value_low",
            "value_high"}`` for lesions of ``low`` to below ``high`` voxels; ``n``, the counts behind it all: images,
            normal, abnormal (of maps where no image was scored), subjects, lesions, voxels.

        Raises:
            ValueError: if ``bootstrap`` is negative.
        """
        check_at_least(0, bootstrap=bootstrap)
        return summarize(
            self._subjects,
            self._images,
            self.histogram,
            size_edges=self.size_edges,
            fpr_limit=self.fpr_limit,
            bootstrap=bootstrap,
            seed=seed,
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "size_edges": self.size_edges,
            "detection_fraction": self.detection_fraction,
            "fpr_limit": self.fpr_limit,
        }

    def _add_subject(self, name: str, counts: Counter[str], histogram: ScoreHistogram | None) -> None:
        subject = self._subjects.setdefault(str(name), SubjectState())
        subject.counts.update(counts)
        if histogram is not None:
            subject.histogram = add_histograms([subject.histogram, histogram])

    def _add_fine(self, histogram: ScoreHistogram) -> None:
        self._pending.append(histogram)
        if sum(len(pending.keys) for pending in self._pending) > 2 * max(_PENDING_BINS, len(self._pending[0].keys)):
            self._pending = [add_histograms(self._pending)]


def _check_new(case: str, known: set[str]) -> None:
    if case in known:
        raise InputError(
            "the case was already counted",
            where=case,
            expected="each case once",
            remedy="Name cases uniquely; over several ranks use a sampler that repeats none (even_divisible=False).",
        )
