# SPDX-License-Identifier: Apache-2.0
"""A calibration and its weights, for the tests of what judges by them."""

from pathlib import Path

import pytest
import torch
from medad.calibration import CalibrationBuilder
from medad.networks import weights_hash


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A calibration of 40 normal images, and the weights it belongs to."""
    weights, calibration = tmp_path / "model.pt", tmp_path / "calibration.json"
    torch.save({"w": torch.arange(3.0)}, weights)
    builder = CalibrationBuilder()
    generator = torch.Generator().manual_seed(0)
    for i in range(40):
        builder.update(float(i), torch.rand(1, 32, 32, generator=generator), None, str(i))
    builder.build("d" * 64, weights_hash(weights)).save(calibration)
    return {"path": str(calibration), "weights_path": str(weights)}


@pytest.fixture
def other_weights(files: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The same calibration, and weights that it does not belong to."""
    torch.save({"w": torch.zeros(3)}, tmp_path / "other.pt")
    return {**files, "weights_path": str(tmp_path / "other.pt")}
