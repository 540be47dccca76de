# SPDX-License-Identifier: Apache-2.0


from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.errors import MedadError
from medad.handlers import MeanScore


def _mean(batches: list[list[float]], runs: int = 1) -> float:
    def cases(engine: Engine, batch: list[float]) -> list[dict[str, Any]]:
        return [{"anomaly_score": torch.tensor(score)} for score in batch]

    engine = Engine(cases)
    MeanScore().attach(engine, "mean_score")
    for _ in range(runs):
        engine.run(batches)
    return float(engine.state.metrics["mean_score"])


def test_every_case_counts_once_however_large_its_batch() -> None:
    assert _mean([[1.0, 2.0, 3.0], [10.0], []]) == 4.0


def test_each_validation_begins_anew() -> None:
    assert _mean([[1.0], [2.0]], runs=3) == 1.5


def test_without_a_case_there_is_no_mean() -> None:
    with pytest.raises(MedadError, match="No validation image could be processed"):
        _mean([[], []])
