# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.calibration import Calibrated, HeatmapPredd, ScoreBinPredd, StoredCalibration, Thresholdd, load_calibration
from medad.calibration.matching import calibration_of_weights
from medad.errors import CalibrationError


def paths(files: dict[str, str]) -> dict[str, str]:
    return {"calibration_path": files["path"], "weights_path": files["weights_path"]}


def test_other_weights_are_refused(files: dict[str, str], other_weights: dict[str, str]) -> None:
    case: dict[str, Any] = {"anomaly_map": torch.rand(1, 4, 4), "anomaly_score": 1.0}
    for build in (Calibrated, Thresholdd, HeatmapPredd, ScoreBinPredd):
        step = build(StoredCalibration(**other_weights))
        with pytest.raises(CalibrationError, match="calibration of other weights"):
            step(case)
        build(StoredCalibration(**files))(case)
        build(StoredCalibration(files["path"], None))(case)


def test_replaced_weights_are_noticed(files: dict[str, str]) -> None:
    step = Thresholdd(StoredCalibration(**files))
    step({"anomaly_map": torch.rand(1, 4, 4)})
    torch.save({"w": torch.arange(300.0)}, files["weights_path"])
    with pytest.raises(CalibrationError, match="other weights"):
        step({"anomaly_map": torch.rand(1, 4, 4)})


def test_missing_calibration_stops_before_the_mask(tmp_path: Path) -> None:
    case: dict[str, Any] = {"anomaly_map": torch.rand(1, 4, 4), "anomaly_score": 1.0}
    for build in (Calibrated, Thresholdd, HeatmapPredd, ScoreBinPredd):
        for path in (tmp_path / "calibration.json", None):
            with pytest.raises(CalibrationError, match="--threshold"):
                build(StoredCalibration(path))(case)


def test_differences_of_the_settings_are_named_up_to_four(files: dict[str, str]) -> None:
    made = {"inferer": {"A": {name: 0 for name in "abcdef"}}}
    calibration = load_calibration(files["path"])
    dataclasses.replace(calibration, settings=made).save(files["path"])
    assert calibration_of_weights(**paths(files), settings=made).settings == made
    assert calibration_of_weights(**paths(files)).settings == made
    now = {"inferer": {"A": {name: int(name > "a") for name in "abcdef"}}}
    with pytest.raises(CalibrationError) as raised:
        calibration_of_weights(**paths(files), settings=now, otherwise="do without")
    then, expected = str(raised.value).split(" Expected ")
    assert then.endswith("another score, with inferer A b 0, inferer A c 0, inferer A d 0, inferer A e 0 and 1 more.")
    assert expected.startswith("one with inferer A b 1, inferer A c 1, inferer A d 1, inferer A e 1 and 1 more, as")
    assert expected.endswith("or do without.")
