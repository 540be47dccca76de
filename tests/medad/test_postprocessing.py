# SPDX-License-Identifier: Apache-2.0
"""Transforms of released bundles, with the arguments of then, do what those of now do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from medad import calibration, postprocessing
from medad.calibration import CalibrationBuilder, StoredCalibration, load_calibration
from medad.errors import CalibrationError
from medad.networks import weights_hash


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Paths of a calibration and its weights, as arguments of then."""
    torch.save({"w": torch.ones(3)}, tmp_path / "model.pt")
    builder = CalibrationBuilder()
    for number in range(40):
        builder.update(float(number), torch.linspace(0, 1, 5000).reshape(1, 50, 100), None, str(number))
    built = builder.build("d" * 64, weights_hash(tmp_path / "model.pt"), {"inferer": "A"})
    built.save(tmp_path / "calibration.json")
    return {"calibration_path": str(tmp_path / "calibration.json"), "weights_path": str(tmp_path / "model.pt")}


CASE: dict[str, Any] = {"anomaly_score": 37.5, "anomaly_map": torch.linspace(0, 1, 100).reshape(1, 10, 10)}
FORMS = [
    ("Calibrated", {"image_false_positive_rate": 0.1}),
    ("Thresholdd", {"voxel_false_positive_rate": 0.1}),
    ("Thresholdd", {"threshold": 0.25, "foreground_key": None}),
    ("HeatmapPredd", {"voxel_false_positive_rate": 0.1, "pred_key": "heat"}),
    ("ScoreBinPredd", {"rates": (0.5, 0.1)}),
]


@pytest.mark.parametrize(("name", "arguments"), FORMS)
def test_arguments_one_by_one_make_up_the_calibration(
    name: str, arguments: dict[str, Any], files: dict[str, Any]
) -> None:
    then = getattr(postprocessing, name)(**files, **arguments)
    of_calibration = {key: arguments[key] for key in arguments if key.endswith("_rate") or key == "threshold"}
    own = {key: value for key, value in arguments.items() if key not in of_calibration}
    stored = StoredCalibration(files["calibration_path"], files["weights_path"], **of_calibration)
    now = getattr(calibration, name)(stored, **own)
    found, expected = then(CASE), now(CASE)
    assert isinstance(then, getattr(calibration, name)) and found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value) if isinstance(value, torch.Tensor) else found[key] == value


def test_a_calibration_of_other_settings_is_refused(files: dict[str, Any]) -> None:
    judge = postprocessing.Calibrated(**files, settings={"inferer": "A"})
    assert judge(CASE)["p_value"] == load_calibration(files["calibration_path"]).p_value(37.5)
    with pytest.raises(CalibrationError, match="another score, with inferer A"):
        postprocessing.Calibrated(**files, settings={"inferer": "B"})(CASE)


def test_without_a_file_a_threshold_is_enough() -> None:
    mask = postprocessing.Thresholdd(None, threshold=0.5)(CASE)["pred"]
    assert torch.equal(mask > 0, CASE["anomaly_map"] > 0.5)


def test_every_name_of_the_face_is_there() -> None:
    for name in postprocessing.__all__:
        assert callable(getattr(postprocessing, name)), name
