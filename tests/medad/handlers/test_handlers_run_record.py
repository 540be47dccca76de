# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from medad.calibration import StoredCalibration
from medad.errors import InputError
from medad.handlers import CheckCases, RunRecord
from torch import nn


def _start(handler: RunRecord | CheckCases) -> None:
    engine = Engine(lambda engine, batch: None)
    handler.attach(engine)
    engine.run([0])


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Start a run in the same folder with given values."""
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    (tmp_path / "calibration.json").write_text("{}")

    def start(resume: bool = True, calibration: str = "calibration.json", threshold: float | None = None) -> None:
        stored = StoredCalibration(tmp_path / calibration, tmp_path / "model.pt", threshold=threshold)
        _start(RunRecord(tmp_path / "out", stored, {"pred_name": "mask"}, resume))

    return start


def test_the_same_run_continues(run: Any, tmp_path: Path) -> None:
    run(threshold=0.1)
    first = (tmp_path / "out" / "run.json").read_bytes()
    run(threshold=0.1)
    assert (tmp_path / "out" / "run.json").read_bytes() == first
    hashes = {"weights_sha256", "calibration_sha256"}
    rates = {"image_false_positive_rate", "voxel_false_positive_rate", "threshold"}
    assert set(json.loads(first)) == hashes | rates | {"score", "pred_name"}


def test_weights_saved_again_are_the_same(run: Any, tmp_path: Path) -> None:
    run()
    torch.save(torch.load(tmp_path / "model.pt", weights_only=True), tmp_path / "model.pt")
    run()


def test_another_run_is_refused(run: Any, tmp_path: Path) -> None:
    run(threshold=0.1)
    with pytest.raises(InputError, match=r"had threshold 0\.1; this one has threshold 0\.2"):
        run(threshold=0.2)
    with pytest.raises(InputError, match=r"calibration_sha256 44136fa\w+; this one has calibration_sha256 None"):
        run(threshold=0.1, calibration="gone.json")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="the earlier run had weights_sha256"):
        run(threshold=0.1)
    run(resume=False, threshold=0.2)
    run(threshold=0.2)
