# SPDX-License-Identifier: Apache-2.0
import torch
from medad.calibration import CalibrationBuilder


def test_score_threshold_divides_decisions() -> None:
    builder = CalibrationBuilder()
    for i in range(40):
        builder.update(float(i), torch.rand(1, 8, 8), None, f"s{i}")
    calibration = builder.build("0" * 64, "0" * 64)
    threshold = calibration.score_threshold(0.05)
    assert threshold is not None
    assert calibration.decision(threshold, 0.05) == 0
    assert calibration.decision(threshold + 1e-6, 0.05) == 1
    assert calibration.score_threshold(0.001) is None
