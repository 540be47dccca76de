# SPDX-License-Identifier: Apache-2.0
"""Show a run to people: ``report.html`` and ``cases.png``."""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from torch import Tensor

from ..calibration import StoredCalibration
from ..errors import CalibrationError
from ..files import atomic_path
from ..formats import ORIENTED
from ..keys import Keys
from ..report import (
    CalibrationSummary,
    CaseGallery,
    CaseRecord,
    run_provenance,
    save_contact_sheet,
    select_cases,
    write_report,
)
from ..transforms import read_circles, slice_plane
from .kept_cases import KeptCases

_logger = logging.getLogger(__name__)

MAX_DETECTIONS = 10
"""How many detections of a case are drawn, the highest scores first."""


def spread_over_scores(records: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Of each label the cases with the highest, the middle and the lowest score: a rule, not a choice by eye."""
    chosen: list[CaseRecord] = []
    for label in (1, 0, None):
        group = sorted((r for r in records if r.label == label), key=lambda r: (-r.score, r.name))
        if group:
            chosen += [group[i] for i in sorted({0, len(group) // 2, len(group) - 1})]
    return chosen


def _placed(image: Tensor) -> dict[str, Any]:
    """How an image lies in the body, as far as its file says so."""
    if not isinstance(image, MetaTensor):
        return {}
    oriented = bool(image.meta.get(ORIENTED, False))
    return {"affine": image.affine, "oriented": oriented, "slice_plane": slice_plane(image)}


def _marks(case: Mapping[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """True circles, and the first detections as circles or balls of their size, ``None`` where there are none."""
    circles, found = case.get(Keys.CIRCLES), case.get(Keys.DETECTIONS)
    axes = case[Keys.ANOMALY_MAP].ndim - 1
    truth = None if circles is None or not len(circles) else read_circles(circles, axes, str(case[Keys.CASE]))
    return truth, None if found is None else _round(torch.column_stack([found.centroids.double(), found.sizes]))


def _round(centers_and_sizes: Tensor) -> Tensor:
    """The first detections as circles or balls of their size."""
    found = centers_and_sizes[:MAX_DETECTIONS].double()
    size = found[:, -1]
    radius = (size / torch.pi).sqrt() if found.shape[1] == 3 else (size * 3 / (4 * torch.pi)) ** (1 / 3)
    return torch.column_stack([found[:, :-1], radius])


class ReportHandler:
    """Draw cases while they stream by; write ``report.html`` and a picture of a few cases at the end.

    Args:
        output_dir: folder of the run.
        title: what kind of run it is.
        bundle_root: bundle whose name and version the report carries.
        calibration: the calibration of the run, with its weights and rates; its file may be missing.
        max_cases: how many cases are shown.
        map_white: map value of the brightest color where there is no calibration; with one it is four times the voxel
            threshold.
        resume: whether cases of an earlier run are shown, too.
        pred_name: what that run called its masks.
    """

    def __init__(
        self,
        output_dir: str | Path,
        title: str,
        bundle_root: str | Path,
        calibration: StoredCalibration,
        max_cases: int = 24,
        map_white: float = 1.0,
        resume: bool = False,
        pred_name: str = "mask",
    ) -> None:
        self.path = Path(output_dir) / "report.html"
        self.title = title
        self.bundle_root = Path(bundle_root)
        self.stored = calibration
        self.max_cases = max_cases
        self.map_white = map_white
        self.resume = resume
        self.pred_name = pred_name
        self.kept: KeptCases | None = None

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Fix the color scale, and note what an earlier run has finished."""
        self.calibration = self._summary(None)
        threshold = None if self.calibration is None else self.calibration.voxel_threshold
        self.gallery = CaseGallery(
            self.max_cases,
            map_max=4 * threshold if threshold else self.map_white,
            by_slices=getattr(getattr(engine, "inferer", None), "spatial_dims", None) == 2,
        )
        self.scores: list[dict[str, Any]] = []
        self.datasets: set[str | None] = set()
        self.notes: Counter[str] = Counter()
        if self.resume and idist.get_rank() == 0:
            self.kept = KeptCases(self.path.parent, engine.data_loader.dataset, self.pred_name)

    def update(self, engine: Engine) -> None:
        """Offer the cases of one iteration to the gallery."""
        for case in engine.state.output:
            label, decision = (None if case.get(k) is None else int(case[k]) for k in (Keys.LABEL, Keys.DECISION))
            p_value = None if case.get(Keys.P_VALUE) is None else float(case[Keys.P_VALUE])
            score = float(case[Keys.ANOMALY_SCORE])
            self.datasets.add(case.get(Keys.DATASET))
            self.notes[str(case.get(Keys.NOTE, ""))] += 1
            self.scores.append({"anomaly_score": score, "label": label, "decision": decision})
            circles, detections = _marks(case)
            self.gallery.add(
                CaseRecord(str(case[Keys.CASE]), score, label, p_value, decision),
                image=case[Keys.IMAGE],
                **_placed(case[Keys.IMAGE]),
                anomaly_map=case[Keys.ANOMALY_MAP],
                reconstruction=case.get(Keys.RECONSTRUCTION),
                mask=case.get(Keys.PRED),
                truth=case.get(Keys.MASK),
                circles=circles,
                detections=detections,
            )

    def finish(self, engine: Engine) -> None:
        """Write the report of all ranks."""
        records = [record for part in idist.all_gather(self.gallery.records()) for record in part]
        scores = [row for part in idist.all_gather(self.scores) for row in part]
        failures = [row for part in idist.all_gather(engine.state.failures) for row in part]
        datasets = set().union(*idist.all_gather(self.datasets))
        notes = sum(idist.all_gather(self.notes), Counter[str]())
        nothing_new = not scores and not failures and self.path.is_file()
        if idist.get_rank() != 0 or nothing_new:  # then the report of the earlier run stands
            return
        if self.kept is not None:
            records += self.kept.records()
            scores += self.kept.scores()
            datasets |= self.kept.datasets()
            notes += self.kept.notes()
        shown = [self._with_pictures(record) for record in select_cases(records, self.max_cases)]
        if len(datasets) == 1:
            self.calibration = self._summary(datasets.pop())
        write_report(
            self.path,
            title=self.title,
            cases=shown,
            metrics=getattr(engine.state, "report", None),
            scores=scores,
            provenance=self._provenance(),
            calibration=self.calibration,
            failures=[(row["case"], row["failure"]) for row in failures],
            notes=[(note, count) for note, count in notes.most_common() if note],
            max_cases=self.max_cases,
            froc_curve=getattr(engine.state, "froc_curve", ()),
        )
        if drawn := [record for record in shown if record.views]:
            with atomic_path(self.path.with_name("cases.png")) as partial:
                save_contact_sheet(partial, spread_over_scores(drawn))
        _logger.info("report: %s", self.path)

    def _with_pictures(self, record: CaseRecord) -> CaseRecord:
        """Draw a case of the earlier run, if its files can be read."""
        if record.views:
            return record
        arrays = None if self.kept is None else self.kept.arrays(record.name)
        if arrays is None:
            return replace(record, map_max=self.gallery.map_max)
        if arrays["detections"] is not None:
            arrays["detections"] = _round(arrays["detections"])
        return self.gallery.draw(record, **arrays, **_placed(arrays["image"]))

    def _summary(self, dataset: str | None) -> CalibrationSummary | None:
        """Say what cases of a data set, or of all, were judged by."""
        try:
            calibration = self.stored.load().of(dataset)
            image_rate, guarantee = self.stored.image_false_positive_rate, self.stored.guarantee
            rate = self.stored.voxel_false_positive_rate
            voxel_threshold = calibration.voxel_threshold(rate)
            score_threshold = calibration.score_threshold(image_rate, guarantee)
        except CalibrationError as error:
            _logger.warning("report without calibration: %s", error)
            return None
        return CalibrationSummary(
            scores=calibration.scores,
            score_threshold=score_threshold,
            voxel_threshold=voxel_threshold,
            image_false_positive_rate=image_rate,
            voxel_false_positive_rate=rate,
            images=calibration.images,
            subjects=calibration.subjects,
            new_subjects=None if self.stored.threshold is not None else calibration.new_subjects(rate),
            datasets=tuple(calibration.groups),
            promise=calibration.promise(image_rate, guarantee) or "",
            p_value_is=guarantee.p_value_is,
        )

    def _provenance(self) -> dict[str, object]:
        configs = sorted((self.bundle_root / "configs").glob("*.json"))
        provenance = {
            **run_provenance(self.bundle_root),
            "config_sha256": hashlib.sha256(b"".join(path.read_bytes() for path in configs)).hexdigest(),
            "weights_sha256": self.stored.weights_sha256,
        }
        if self.calibration is not None:
            provenance["calibration_sha256"] = self.stored.file_sha256
        return provenance
