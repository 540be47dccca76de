# SPDX-License-Identifier: Apache-2.0
"""Standardization: results of different models on one scale, by the calibration of each model.

Each fold has a model of its own, so its raw scores and maps need not compare with those of another. With mean m and
standard deviation s of the calibration's normal scores (every subject weighing the same) and its voxel threshold t:
``score -> (score - m) / s``, ``map -> map / t``, and so the scores of detections, which are means of the map. The
p-value is on one scale as it is, but coarse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from ..calibration import Calibration
from ..errors import InputError
from ..handlers import count_case
from ..keys import Keys
from ..metrics import AnomalyMetrics, DetectionRecord

RAW, STANDARDIZED, P_VALUE = "raw", "standardized", "p_value"
SCORE_COLUMNS = ("case", "subject_id", "label", "score", "standardized_score", "p_value", "decision", "source")


def mean_and_std(calibration: Calibration) -> tuple[float, float]:
    """Mean and standard deviation of the normal scores of a calibration, every subject weighing the same."""
    scores, weights = np.asarray(calibration.scores), np.asarray(calibration.score_weights)
    mean = float(np.average(scores, weights=weights))
    return mean, float(np.sqrt(np.average((scores - mean) ** 2, weights=weights)))


class Standardization:
    """Standardize scores and maps by a calibration.

    Args:
        calibration: of the model that the scores and maps come from.
        voxel_rate: voxel false-positive rate whose threshold becomes 1.

    Raises:
        InputError: if the normal scores or maps of the calibration are all alike.
        CalibrationError: if the calibration does not support the rate.
    """

    def __init__(self, calibration: Calibration, voxel_rate: float) -> None:
        self.mean, self.std = mean_and_std(calibration)
        self.voxel_threshold = calibration.voxel_threshold(voxel_rate)
        if not (self.std > 0 and self.voxel_threshold > 0):
            raise InputError(
                f"normal scores with standard deviation {self.std:g} and a voxel threshold of {self.voxel_threshold:g}",
                where="calibration",
                expected="both above 0, to bring the models of all folds to one scale",
                remedy="Give more normal subjects, lower voxel_false_positive_rate, or train longer.",
            )

    def score(self, score: float) -> float:
        """Standardize a score: in standard deviations of the normal images above their mean."""
        return (score - self.mean) / self.std

    def detections(self, record: DetectionRecord) -> DetectionRecord:
        """Standardize the scores of the detections of an image."""
        lesion_scores, false_positive_scores = (scores / self.voxel_threshold for scores in record[:2])
        return DetectionRecord(lesion_scores, false_positive_scores, record.subject_id)

    def case(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Standardize score and map of a case; all else stays."""
        return {
            **case,
            Keys.ANOMALY_SCORE: self.score(float(case[Keys.ANOMALY_SCORE])),
            Keys.ANOMALY_MAP: case[Keys.ANOMALY_MAP] / self.voxel_threshold,
        }


class FoldResults:
    """Handler: collect the cases that a fold tests, raw and on the common scale, for pooling with other folds.

    Args:
        calibration: of the fold's model; a data set with a calibration of its own is standardized by that one.
        voxel_rate: see :class:`Standardization`.

    Attributes:
        rows: one of ``SCORE_COLUMNS`` per case, with ``dataset`` where the case names one.
    """

    def __init__(self, calibration: Calibration, voxel_rate: float) -> None:
        self.scales = {
            name: Standardization(part, voxel_rate) for name, part in {"": calibration, **calibration.groups}.items()
        }
        self.rows: list[dict[str, Any]] = []
        self.metrics = {scale: AnomalyMetrics() for scale in (RAW, STANDARDIZED, P_VALUE)}

    def attach(self, engine: Engine) -> None:
        """Follow one run."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    def update(self, engine: Engine) -> None:
        """Add the cases of one iteration."""
        for case in engine.state.output:
            scale = self.scales.get(case.get(Keys.DATASET, ""), self.scales[""])
            standardized = scale.case(case)
            count_case(self.metrics[RAW], case)
            count_case(self.metrics[STANDARDIZED], standardized)
            label, p_value, decision = int(case[Keys.LABEL]), float(case[Keys.P_VALUE]), case[Keys.DECISION]
            name, subject = str(case[Keys.CASE]), str(case[Keys.SUBJECT_ID])
            self.metrics[P_VALUE].update_image(1 - p_value, label, decision, subject, case=name)
            self.rows.append(
                {
                    "case": name,
                    **({"dataset": case[Keys.DATASET]} if Keys.DATASET in case else {}),
                    "subject_id": subject,
                    "label": label,
                    "score": f"{float(case[Keys.ANOMALY_SCORE]):.9g}",
                    "standardized_score": f"{standardized[Keys.ANOMALY_SCORE]:.9g}",
                    "p_value": f"{p_value:.6g}",
                    "decision": "" if decision is None else int(decision),
                    "source": case.get(Keys.SOURCE, ""),
                }
            )

    def states(self, detections: Mapping[str, Sequence[DetectionRecord]]) -> dict[str, Any]:
        """Return the states of the metrics by scale, as plain tensors and numbers, for :func:`medad.crossval.pool`.

        Args:
            detections: records of the same cases by data set, such as :attr:`medad.handlers.MetricsHandler.detections`;
                empty where no case carries detections.
        """
        records = [
            (self.scales.get(name, self.scales[""]), record) for name in detections for record in detections[name]
        ]
        found = {RAW: [tuple(record) for _, record in records]} if detections else {}
        if detections:
            found[STANDARDIZED] = [tuple(scale.detections(record)) for scale, record in records]
        return {**{scale: metrics.state_dict() for scale, metrics in self.metrics.items()}, "detections": found}
