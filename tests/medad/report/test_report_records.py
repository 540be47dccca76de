# SPDX-License-Identifier: Apache-2.0
"""Scores as columns, and the calibration that a report tells of."""

import numpy as np
import torch
from medad.report import CalibrationSummary
from medad.report.records import Scores


def test_scores_are_read_from_numbers_text_and_tensors() -> None:
    scores = Scores.read(
        [
            {"anomaly_score": "0.5", "label": "1", "decision": ""},
            {"score": torch.tensor(0.25), "label": np.int64(0), "decision": 1},
            {"anomaly_score": None},
        ]
    )
    np.testing.assert_array_equal(scores.score, [0.5, 0.25, np.nan])
    np.testing.assert_array_equal(scores.label, [1, 0, -1])
    np.testing.assert_array_equal(scores.decision, [-1, 1, -1])
    np.testing.assert_array_equal(scores.of(1), [0.5])
    np.testing.assert_array_equal(scores.of(-1), [])
    assert scores.has_both_labels
    assert Scores.read([]).score.shape == (0,)


def test_only_known_thresholds_are_told() -> None:
    assert CalibrationSummary([1.0]).thresholds == []
    known = CalibrationSummary([1.0], score_threshold=0.0, voxel_threshold=0.3, voxel_false_positive_rate=0.002)
    assert known.thresholds == [("Score", 0.0, None), ("Map", 0.3, 0.002)]
