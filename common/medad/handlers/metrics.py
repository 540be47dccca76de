# SPDX-License-Identifier: Apache-2.0
"""Metrics of a run against the truth: ``metrics.json``."""

import logging
import resource
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from ..files import write_csv, write_json
from ..keys import NORMAL, Keys
from ..metrics import AnomalyMetrics, DetectionRecord, summarize_froc
from .froc import CURVE_COLUMNS, detection_record, froc_table

_logger = logging.getLogger(__name__)

_SHOWN = ("image_auroc", "image_ap", "pixel_ap", "dice", "oracle_dice", "false_positive_rate", "lesion_sensitivity")
_NO_DATASET = ""


def peak_memory_mb(device: torch.device) -> float:
    """Highest memory use of this process so far in MB: of the device, or resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def count_case(metrics: AnomalyMetrics, case: Mapping[str, Any]) -> None:
    """Count one post-processed case as far as its truth is known.

    Args:
        metrics: changed in place.
        case: dictionary with ``case``, ``subject_id``, ``anomaly_map``, ``anomaly_score`` and, where there are any,
            ``pred``, ``decision``, ``label`` and ``mask``; in a normal image without a mask nothing is marked.
    """
    label, mask = case.get(Keys.LABEL), case.get(Keys.MASK)
    if mask is None and label is not None and int(label) == NORMAL:
        mask = torch.zeros_like(case[Keys.ANOMALY_MAP], dtype=torch.uint8)
    subject, name = str(case[Keys.SUBJECT_ID]), str(case[Keys.CASE])
    if mask is not None:
        metrics.update(case[Keys.ANOMALY_MAP], mask, case.get(Keys.PRED), subject_id=subject, case=name)
    if label is not None:
        metrics.update_image(float(case[Keys.ANOMALY_SCORE]), int(label), case.get(Keys.DECISION), subject, case=name)


class MetricsHandler:
    """Collect map, mask, score and decision of every labeled case and write ``metrics.json`` at the end.

    All pixel metrics are taken on the grid of the file. The result is also in ``engine.state.report``, and the values
    that are defined in ``engine.state.metrics``, where tracking and federated learning look for them. Where cases name
    their ``dataset``, the entry ``"datasets"`` holds the same metrics for each data set by its name.

    Where cases carry ``detections``, the entry ``"froc"`` holds the sensitivities of the free-response ROC (see
    :func:`medad.handlers.detection_record` and :func:`medad.metrics.summarize_froc`), and ``froc.csv`` the curve.

    Args:
        output_dir: folder of the run.
        bootstrap: resamples of the subject-level bootstrap.
        seed: seed of the bootstrap.
        detection_slack: how far from a lesion a detection may be to hit it, in voxels.
    """

    def __init__(
        self, output_dir: str | Path, bootstrap: int = 1000, seed: int = 0, detection_slack: float = 0.0
    ) -> None:
        self.path = Path(output_dir) / "metrics.json"
        self.bootstrap = bootstrap
        self.seed = seed
        self.detection_slack = detection_slack
        self._forget()

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget an earlier run."""
        self._forget()

    def update(self, engine: Engine) -> None:
        """Add the cases of one iteration."""
        for case in engine.state.output:
            dataset = case.get(Keys.DATASET, _NO_DATASET)
            count_case(self.metrics[dataset], case)
            if Keys.DETECTIONS in case:
                record = detection_record(case, self.detection_slack)
                self.detections[dataset] += [] if record is None else [record]
        self.seconds += [engine.state.seconds_per_case] * len(engine.state.output)

    def finish(self, engine: Engine) -> None:
        """Merge the ranks, compute and write."""
        found = idist.all_gather({name: metrics.state_dict() for name, metrics in self.metrics.items()})
        seconds = [value for part in idist.all_gather(self.seconds) for value in part]
        states = [(name, state) for part in found for name, state in part.items()]
        detections = [(name, part) for parts in idist.all_gather(self.detections) for name, part in parts.items()]
        result = self._joined([state for _, state in states], [part for _, part in detections])
        result["seconds_per_case"] = {"value": sum(seconds) / max(1, len(seconds)), "low": None, "high": None}
        result["peak_memory_mb"] = {"value": peak_memory_mb(engine.state.device), "low": None, "high": None}
        values = {name: metric.get("value") for name, metric in result.items() if isinstance(metric, dict)}
        engine.state.metrics.update({name: float(value) for name, value in values.items() if value is not None})
        datasets = {
            name: self._joined(*([part for other, part in parts if other == name] for parts in (states, detections)))
            for name in sorted({name for name, _ in states} - {_NO_DATASET})
        }
        engine.state.report = result | ({"datasets": datasets} if datasets else {})
        engine.state.froc_curve = froc_table([record for _, part in detections for record in part])
        if idist.get_rank() == 0:
            write_json(self.path, engine.state.report)
            if detections:
                write_csv(self.path.with_name("froc.csv"), CURVE_COLUMNS, engine.state.froc_curve)
            for start, metrics in (("", result), *((f"{name}: ", metrics) for name, metrics in datasets.items())):
                for name in _SHOWN:
                    _logger.info("%s%s", start, _line(name, metrics[name]))
                if "froc" in metrics:
                    mean = metrics["froc"]["mean_sensitivity"]
                    _logger.info("%s%s", start, _line("mean sensitivity of the free-response ROC", mean))

    def _forget(self) -> None:
        self.metrics: defaultdict[str, AnomalyMetrics] = defaultdict(AnomalyMetrics)
        self.detections: defaultdict[str, list[DetectionRecord]] = defaultdict(list)
        self.seconds: list[float] = []

    def _joined(self, states: list[dict[str, Any]], detections: list[list[DetectionRecord]]) -> dict[str, Any]:
        """Compute the metrics of cases that were counted in several parts, or of no case at all."""
        merged = AnomalyMetrics.merge([AnomalyMetrics().state_dict(), *states])
        metrics = merged.compute(bootstrap=self.bootstrap, seed=self.seed)
        if detections:
            records = [record for part in detections for record in part]
            metrics["froc"] = summarize_froc(records, bootstrap=self.bootstrap, seed=self.seed)
        return metrics


def _line(name: str, metric: dict[str, Any]) -> str:
    if metric["value"] is None:
        return f"{name}: not defined ({metric.get('reason', 'no reason given')})"
    if metric["low"] is None:
        return f"{name}: {metric['value']:.3f}"
    return f"{name}: {metric['value']:.3f} (95 % interval {metric['low']:.3f} to {metric['high']:.3f})"
