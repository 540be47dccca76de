# SPDX-License-Identifier: Apache-2.0
"""The calibration of a run: its arguments, and what it says before there is a file."""

import math
from pathlib import Path

import pytest
import torch
from medad.anomaly_map import AnomalyScored
from medad.calibration import CalibrationBuilder, Guarantee, StoredCalibration
from medad.errors import CalibrationError
from medad.inferers import ReconstructionInferer
from medad.networks import weights_hash
from medad.transforms import ForegroundMaskd
from monai.transforms import Compose
from torch import nn


def _pipeline(threshold: float) -> tuple[Compose, ReconstructionInferer, list[AnomalyScored], nn.Module]:
    return Compose([ForegroundMaskd(2, threshold=threshold)]), ReconstructionInferer(2), [AnomalyScored()], nn.ReLU()


def test_an_explicit_threshold_needs_no_file(tmp_path: Path) -> None:
    assert StoredCalibration(tmp_path / "no.json", threshold="0.25").voxel_threshold() == 0.25
    with pytest.raises(CalibrationError, match="no calibration found"):
        StoredCalibration(tmp_path / "no.json", threshold="calibrated").voxel_threshold()
    with pytest.raises(CalibrationError, match="no calibration named"):
        StoredCalibration(None).load()


def test_hashes(tmp_path: Path) -> None:
    weights = tmp_path / "model.pt"
    torch.save({"w": torch.ones(2)}, weights)
    stored = StoredCalibration(tmp_path / "no.json", weights)
    assert stored.weights_sha256 == weights_hash(weights) and stored.file_sha256 is None
    assert StoredCalibration(None).weights_sha256 is None and StoredCalibration(None).file_sha256 is None


def test_a_calibration_of_another_pipeline_is_refused(tmp_path: Path) -> None:
    weights, path = tmp_path / "model.pt", tmp_path / "calibration.json"
    torch.save({"w": torch.ones(2)}, weights)
    builder = CalibrationBuilder()
    builder.update(1.0, torch.rand(1, 8, 8), None, "subject")
    stored = StoredCalibration(path, weights, _pipeline(0.1))
    builder.build("d", weights_hash(weights), stored.settings).save(path)
    assert stored.load().scores == (1.0,) and stored.file_sha256 is not None
    with pytest.raises(CalibrationError, match=r"with preprocessing ForegroundMaskd threshold 0\.1\..*threshold 0\.3"):
        StoredCalibration(path, weights, _pipeline(0.3)).load()


@pytest.mark.parametrize("name", ["image_false_positive_rate", "voxel_false_positive_rate"])
@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan])
def test_rates_lie_between_0_and_1(name: str, rate: float) -> None:
    with pytest.raises(ValueError, match=name):
        StoredCalibration(None, **{name: rate})


def test_guarantees_are_named() -> None:
    assert StoredCalibration(None, guarantee="any_image_of_subject").guarantee is Guarantee.ANY_IMAGE_OF_SUBJECT
    assert StoredCalibration(None).guarantee is Guarantee.IMAGE
    with pytest.raises(ValueError, match=r"guarantee='subject': must be one of .*'one_image_of_subject'"):
        StoredCalibration(None, guarantee="subject")


@pytest.mark.parametrize("threshold", [math.nan, math.inf, "high", "nan", ""])
def test_a_threshold_is_a_finite_number(threshold: float | str) -> None:
    with pytest.raises(ValueError, match="threshold"):
        StoredCalibration(None, threshold=threshold)
