# SPDX-License-Identifier: Apache-2.0
"""Measure a run against the truth: ``metrics.json``."""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from ..keys import Keys
from ..metrics import AnomalyMetrics
from .files import write_json

_logger = logging.getLogger(__name__)

_SHOWN = ("image_auroc", "image_ap", "pixel_ap", "dice", "oracle_dice", "false_positive_rate", "lesion_sensitivity")


def peak_memory_mb(device: torch.device) -> float:
    """Highest memory use of this process so far in MB: of the device, or resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class MetricsHandler:
    """Collect map, mask, score and decision of every labeled case and write ``metrics.json`` at the end.

    All pixel metrics are taken on the grid of the file. The result is also in ``engine.state.report``, and the values
    that are defined in ``engine.state.metrics``, where tracking and federated learning look for them.

    Args:
        output_dir: folder of the run.
        bootstrap: resamples of the subject-level bootstrap.
        seed: seed of the bootstrap.
    """

    def __init__(self, output_dir: str | Path, bootstrap: int = 1000, seed: int = 0) -> None:
        self.path = Path(output_dir) / "metrics.json"
        self.bootstrap = bootstrap
        self.seed = seed
        self.metrics = AnomalyMetrics()
        self.seconds: list[float] = []

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget an earlier run."""
        self.metrics = AnomalyMetrics()
        self.seconds = []

    def update(self, engine: Engine) -> None:
        """Add the cases of one iteration."""
        for case in engine.state.output:
            label = case.get(Keys.LABEL)
            mask = case.get(Keys.MASK)
            if mask is None and label is not None and int(label) == 0:
                mask = torch.zeros_like(case[Keys.ANOMALY_MAP], dtype=torch.uint8)
            subject = str(case[Keys.SUBJECT_ID])
            if mask is not None:
                self.metrics.update(
                    case[Keys.ANOMALY_MAP], mask, case.get(Keys.PRED), subject_id=subject, case=str(case[Keys.CASE])
                )
            if label is not None:
                self.metrics.update_image(
                    float(case[Keys.ANOMALY_SCORE]),
                    int(label),
                    case.get(Keys.DECISION),
                    subject_id=subject,
                    case=str(case[Keys.CASE]),
                )
        self.seconds += [engine.state.seconds_per_case] * len(engine.state.output)

    def finish(self, engine: Engine) -> None:
        """Merge the ranks, compute and write."""
        states = idist.all_gather(self.metrics.state_dict())
        seconds = [value for part in idist.all_gather(self.seconds) for value in part]
        result: dict[str, Any] = AnomalyMetrics.merge(states).compute(bootstrap=self.bootstrap, seed=self.seed)
        result["seconds_per_case"] = {"value": sum(seconds) / max(1, len(seconds)), "low": None, "high": None}
        result["peak_memory_mb"] = {"value": peak_memory_mb(engine.state.device), "low": None, "high": None}
        engine.state.report = result
        values = {name: metric.get("value") for name, metric in result.items() if isinstance(metric, dict)}
        engine.state.metrics.update({name: float(value) for name, value in values.items() if value is not None})
        if idist.get_rank() == 0:
            write_json(self.path, result)
            for name in _SHOWN:
                _logger.info("%s", _line(name, result[name]))


def _line(name: str, metric: dict[str, Any]) -> str:
    if metric["value"] is None:
        return f"{name}: not defined ({metric.get('reason', 'no reason given')})"
    if metric["low"] is None:
        return f"{name}: {metric['value']:.3f}"
    return f"{name}: {metric['value']:.3f} (95 % interval {metric['low']:.3f} to {metric['high']:.3f})"
