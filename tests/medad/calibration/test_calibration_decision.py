# SPDX-License-Identifier: Apache-2.0


import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.anomaly_map import AnomalyScored, SplitAnomalyMapd
from medad.calibration import (
    Calibrated,
    CalibrationBuilder,
    HeatmapPredd,
    ScoreBinPredd,
    StoredCalibration,
    Thresholdd,
    load_calibration,
)
from medad.errors import CalibrationError, find_medad_error
from medad.networks import weights_hash
from monai.data import MetaTensor
from monai.transforms import Compose


def test_nothing_is_read_at_construction() -> None:
    for build in (Calibrated, Thresholdd, HeatmapPredd, ScoreBinPredd):
        transform = build(StoredCalibration("nowhere.json", "nowhere.pt"))
        copy.deepcopy(pickle.loads(pickle.dumps(transform)))


def test_p_value_and_decision(files: dict[str, str]) -> None:
    calibration = load_calibration(files["path"])
    judge = pickle.loads(pickle.dumps(Calibrated(StoredCalibration(**files, image_false_positive_rate=0.05))))
    for score in (0.0, 37.5, 38.5, 100.0):
        case = judge({"anomaly_score": torch.tensor(score), "case": "a"})
        assert case["p_value"] == calibration.p_value(score) and isinstance(case["p_value"], float)
        assert case["decision"] == int(score > 38) and isinstance(case["decision"], int)
        assert case["case"] == "a"
        judged = {"anomaly_score": score, "p_value": case["p_value"], "decision": case["decision"]}
        assert case["result"] == {**judged, "note": ""} and case["note"] == ""
    with pytest.raises(CalibrationError, match="at least 99 normal images"):
        Calibrated(StoredCalibration(**files, image_false_positive_rate=0.01))({"anomaly_score": 1.0})


def test_explicit_threshold_needs_no_calibration(
    files: dict[str, str], other_weights: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case: dict[str, Any] = {"anomaly_map": torch.tensor([[[0.2, 0.8]]]), "anomaly_score": 39.0}
    for where in ({"path": tmp_path / "no.json"}, other_weights):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            step = Compose(
                [
                    Calibrated(StoredCalibration(**where, threshold=0.5)),
                    Thresholdd(StoredCalibration(**where, threshold=0.5)),
                ]
            )
            result = step(step(case))
        assert result["p_value"] is None and result["decision"] is None
        assert result["pred"].tolist() == [[[0, 1]]]
        assert len(caplog.records) == 1 and result["note"].endswith("There is no decision.")
        assert result["result"]["note"] == result["note"]
    # with a calibration, the threshold leaves p-value and decision as they are
    both = Compose(
        [Calibrated(StoredCalibration(**files, threshold=0.5)), Thresholdd(StoredCalibration(**files, threshold=0.5))]
    )(case)
    assert both["p_value"] == pytest.approx(2 / 41) and both["decision"] == 1 and both["pred"].sum() == 1
    few = Calibrated(StoredCalibration(**files, image_false_positive_rate=0.01, threshold=0.5))(case)
    assert few["p_value"] == pytest.approx(2 / 41) and few["decision"] is None
    volume = {**case, "anomaly_map": torch.rand(1, 4, 4, 4)}
    note = Calibrated(StoredCalibration(**files, image_false_positive_rate=0.01, threshold=0.5))(volume)["note"]
    assert "this one has 3" in note and note.endswith("There is no decision.")  # one reason does not hide another


def test_a_calibration_of_slices_warns_once_of_volumes(files: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    judge = Calibrated(StoredCalibration(**files))
    slice_, volume = ({"anomaly_score": 3.0, "anomaly_map": torch.rand(1, *[4] * axes)} for axes in (2, 3))
    with caplog.at_level(logging.WARNING):
        assert judge(slice_)["decision"] == 0 and not caplog.records
        assert judge(volume)["decision"] == judge(volume)["decision"] == 0
    assert [record.message for record in caplog.records] == [
        "The calibration is made from images with 2 axes, this one has 3. Scores of slices and of "
        "volumes differ, so that p-value and decision are not reliable. Calibrate on what you infer on."
    ]
    assert judge(slice_)["note"] == "" and caplog.records[0].message.endswith(judge(volume)["note"])


@pytest.fixture
def few_subjects(files: dict[str, str]) -> dict[str, str]:
    """A calibration of 24 images of 8 subjects, with the scores 0 to 23: the first subject has the first three."""
    builder = CalibrationBuilder({str(k): 3 for k in range(8)})
    for i in range(24):
        builder.update(float(i), torch.rand(1, 8, 8), None, str(i // 3))
    builder.build("d" * 64, weights_hash(files["weights_path"])).save(files["path"])
    return files


@pytest.mark.parametrize(
    ("guarantee", "p_value", "said"),
    [
        ("image", (1 + 2) / 25, "about 12 would be called abnormal, and on average at most 19"),
        ("one_image_of_subject", (1 + 2 / 3) / 9, "at most 12 would be called abnormal on one randomly chosen image."),
        ("any_image_of_subject", 2 / 9, "at most 12 would be called abnormal on any of their images."),
    ],
)
def test_a_case_says_what_its_p_value_holds_for(
    few_subjects: dict[str, str], guarantee: str, p_value: float, said: str
) -> None:
    asked = StoredCalibration(**few_subjects, image_false_positive_rate=0.12, guarantee=guarantee)
    case = Calibrated(asked)({"anomaly_score": 22.0})
    assert case["p_value"] == pytest.approx(p_value) and case["decision"] == int(guarantee == "image")
    assert said in str(asked.load().promise(0.12, asked.guarantee))
    assert case["note"] == ("" if guarantee == "image" else asked.load().promise(0.12, asked.guarantee))


def test_few_subjects_are_noted(few_subjects: dict[str, str]) -> None:
    assert "8 subjects may be alike" in Calibrated(StoredCalibration(**few_subjects))({"anomaly_score": 9.0})["note"]
    rate = {"image_false_positive_rate": 0.12}  # eight are enough
    assert Calibrated(StoredCalibration(**few_subjects, **rate))({"anomaly_score": 9.0})["note"] == ""
    with pytest.raises(CalibrationError, match="8 normal subjects cannot support"):
        Calibrated(StoredCalibration(**few_subjects, guarantee="one_image_of_subject"))({"anomaly_score": 9.0})


def test_whole_chain(files: dict[str, str]) -> None:
    chain = Compose(
        [
            SplitAnomalyMapd(),
            AnomalyScored(),
            Calibrated(StoredCalibration(**files)),
            Thresholdd(StoredCalibration(**files)),
        ]
    )
    pred = MetaTensor(torch.rand(2, 6, 6, 6), affine=torch.eye(4))
    result = chain({"pred": pred, "image_path": "a.nii.gz"})
    assert set(result["pred"].unique().tolist()) <= {0, 1} and result["pred"].shape == (1, 6, 6, 6)
    assert {"anomaly_map", "reconstruction", "anomaly_score", "p_value", "decision", "image_path"} <= set(result)
    broken = Compose([SplitAnomalyMapd(), AnomalyScored(), Calibrated(StoredCalibration("no.json"))])
    with pytest.raises(RuntimeError) as caught:
        broken({"pred": pred})
    assert isinstance(find_medad_error(caught.value), CalibrationError)


def test_without_a_score_there_is_no_decision() -> None:
    with pytest.raises(KeyError, match="anomaly_score"):
        Calibrated(StoredCalibration(None))({"pred": 1})
