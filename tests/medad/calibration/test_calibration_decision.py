# SPDX-License-Identifier: Apache-2.0
import copy
import json
import logging
import math
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

AFFINE = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))


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
        assert case["result"] == {"anomaly_score": score, "p_value": case["p_value"], "decision": case["decision"]}
    with pytest.raises(CalibrationError, match="at least 99 normal images"):
        Calibrated(StoredCalibration(**files, image_false_positive_rate=0.01))({"anomaly_score": 1.0})


@pytest.mark.parametrize("shape", [(9, 8), (7, 6, 5)])
def test_mask(files: dict[str, str], shape: tuple[int, ...]) -> None:
    threshold = load_calibration(files["path"]).voxel_threshold(0.1)
    x = MetaTensor(torch.rand(1, *shape), affine=AFFINE)
    x.view(-1)[0] = threshold  # not above
    case = {"anomaly_map": x, "case": "a"}
    before = x.clone()
    result = copy.deepcopy(Thresholdd(StoredCalibration(**files, voxel_false_positive_rate=0.1)))(case)
    pred = result["pred"]
    assert isinstance(pred, MetaTensor) and pred.dtype == torch.uint8 and torch.equal(pred.affine, AFFINE)
    assert torch.equal(pred.as_tensor(), (x.as_tensor() > threshold).to(torch.uint8))
    assert pred.view(-1)[0] == 0 and 0 < pred.sum() < pred.numel()
    assert torch.equal(x, before) and "pred" not in case and result["case"] == "a"


def test_mask_stays_in_the_foreground() -> None:
    x, mask = torch.rand(1, 8, 8) + 1, torch.rand(1, 8, 8) > 0.5
    result = Thresholdd(StoredCalibration(None, threshold=0.5), foreground_key="foreground")(
        {"anomaly_map": x, "foreground": mask}
    )
    assert torch.equal(result["pred"], mask.to(torch.uint8)) and type(result["pred"]) is torch.Tensor
    with pytest.raises(KeyError, match="foreground"):
        Thresholdd(StoredCalibration(None, threshold=0.5), foreground_key="foreground")({"anomaly_map": x})
    with pytest.raises(ValueError, match="use one grid"):
        Thresholdd(StoredCalibration(None, threshold=0.5), foreground_key="foreground")(
            {"anomaly_map": x, "foreground": mask[..., 1:]}
        )


def test_half_precision_map_is_compared_in_float32() -> None:
    x = torch.tensor([[[0.1, 0.2]]]).half()
    # 0.1 is 0.0999756 in half precision, and so would 0.09996 be
    assert Thresholdd(StoredCalibration(None, threshold=0.09996))({"anomaly_map": x})["pred"].tolist() == [[[1, 1]]]
    assert Thresholdd(StoredCalibration(None, threshold=float(x[0, 0, 1])))({"anomaly_map": x})["pred"].tolist() == [
        [[0, 0]]
    ]


def other_weights(files: dict[str, str], tmp_path: Path) -> dict[str, str]:
    torch.save({"w": torch.zeros(3)}, tmp_path / "other.pt")
    return {**files, "weights_path": str(tmp_path / "other.pt")}


def test_other_weights_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    other = other_weights(files, tmp_path)
    case: dict[str, Any] = {"anomaly_map": torch.rand(1, 4, 4), "anomaly_score": 1.0}
    for build in (Calibrated, Thresholdd, HeatmapPredd, ScoreBinPredd):
        step = build(StoredCalibration(**other))
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


def test_explicit_threshold_needs_no_calibration(
    files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case: dict[str, Any] = {"anomaly_map": torch.tensor([[[0.2, 0.8]]]), "anomaly_score": 39.0}
    for where in ({"path": tmp_path / "no.json"}, other_weights(files, tmp_path)):
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
        assert len(caplog.records) == 1
    # with a calibration, the threshold leaves p-value and decision as they are
    both = Compose(
        [Calibrated(StoredCalibration(**files, threshold=0.5)), Thresholdd(StoredCalibration(**files, threshold=0.5))]
    )(case)
    assert both["p_value"] == pytest.approx(2 / 41) and both["decision"] == 1 and both["pred"].sum() == 1
    few = Calibrated(StoredCalibration(**files, image_false_positive_rate=0.01, threshold=0.5))(case)
    assert few["p_value"] == pytest.approx(2 / 41) and few["decision"] is None


def test_a_client_writes_the_threshold_as_text(files: dict[str, str]) -> None:
    case = {"anomaly_map": torch.linspace(0, 1, 101).reshape(1, 1, -1)}
    for build in (Thresholdd, HeatmapPredd):
        by_number, by_text = (build(StoredCalibration(None, threshold=value))(case)["pred"] for value in (0.5, "0.5"))
        assert torch.equal(by_number, by_text) and not torch.equal(
            build(StoredCalibration(**files))(case)["pred"], by_text
        )
        assert torch.equal(
            build(StoredCalibration(**files, threshold="calibrated"))(case)["pred"],
            build(StoredCalibration(**files))(case)["pred"],
        )


def test_a_calibration_of_slices_warns_once_of_volumes(files: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    judge = Calibrated(StoredCalibration(**files))
    slice_, volume = ({"anomaly_score": 3.0, "anomaly_map": torch.rand(1, *[4] * axes)} for axes in (2, 3))
    with caplog.at_level(logging.WARNING):
        assert judge(slice_)["decision"] == 0 and not caplog.records
        assert judge(volume)["decision"] == judge(volume)["decision"] == 0
    assert [record.message for record in caplog.records] == [
        f"{files['path']}: made from images with 2 axes, this one has 3. Scores of slices and of volumes "
        "differ, so that p-values and decisions are not reliable. Calibrate on what you infer on."
    ]
    content = json.loads(Path(files["path"]).read_text())
    assert content.pop("axes") == [2]  # a file of the first version does not say
    Path(files["path"]).write_text(json.dumps(content))
    caplog.clear()
    assert Calibrated(StoredCalibration(**files))(volume)["decision"] == 0 and not caplog.records


def test_heatmap_above_127_is_the_mask(files: dict[str, str]) -> None:
    threshold = load_calibration(files["path"]).voxel_threshold(0.1)
    x = torch.rand(1, 40, 40) * 2.5 * threshold
    x[0, 0, :3] = torch.tensor([0.0, threshold, 100.0])
    x[0, 0, 3] = torch.nextafter(x[0, 0, 1], torch.tensor(torch.inf))
    heat = HeatmapPredd(StoredCalibration(**files, voxel_false_positive_rate=0.1))(
        {"anomaly_map": MetaTensor(x, affine=AFFINE)}
    )["pred"]
    mask = Thresholdd(StoredCalibration(**files, voxel_false_positive_rate=0.1))({"anomaly_map": x})["pred"]
    assert heat.dtype == torch.uint8 and torch.equal(heat.affine, AFFINE)
    assert torch.equal(heat.as_tensor() > 127, mask > 0)
    assert heat[0, 0, :4].tolist() == [0, 127, 255, 128]
    order = x.flatten().argsort()
    assert (heat.as_tensor().flatten()[order].int().diff() >= 0).all()


def test_heatmap_scale_is_fixed_and_threshold_counts() -> None:
    step = HeatmapPredd(StoredCalibration(None, threshold=0.5))
    x = torch.tensor([[[0.25, 0.5, 0.75, 5.0]]])
    assert step({"anomaly_map": x})["pred"].tolist() == [[[64, 127, 191, 255]]]
    assert step({"anomaly_map": x[..., :1]})["pred"].tolist() == [[[64]]]
    assert HeatmapPredd(StoredCalibration(None, threshold=0.0))({"anomaly_map": x - 0.25})["pred"].tolist() == [
        [[0, 255, 255, 255]]
    ]


def test_score_bins(files: dict[str, str]) -> None:
    calibration = load_calibration(files["path"])
    rates = (0.05, 0.02, 0.01, 0.002, 0.0005)
    thresholds = torch.tensor([calibration.voxel_threshold(rate) for rate in rates])
    x = torch.cat([torch.rand(500), thresholds, thresholds + 1e-6, torch.tensor([0.0, 2.0])])[None, None]
    pred = ScoreBinPredd(StoredCalibration(**files))({"anomaly_map": x})["pred"]
    expected = sum((x > t).to(torch.uint8) for t in thresholds)
    assert pred.dtype == torch.uint8 and torch.equal(pred, expected)
    assert pred.max() == 5 and pred.min() == 0
    assert torch.equal(pred >= 4, Thresholdd(StoredCalibration(**files))({"anomaly_map": x})["pred"] > 0)
    mask = torch.zeros_like(x)
    inside = ScoreBinPredd(StoredCalibration(**files), foreground_key="foreground")(
        {"anomaly_map": x, "foreground": mask}
    )
    assert inside["pred"].sum() == 0


def test_whole_chain(files: dict[str, str]) -> None:
    chain = Compose(
        [
            SplitAnomalyMapd(),
            AnomalyScored(),
            Calibrated(StoredCalibration(**files)),
            Thresholdd(StoredCalibration(**files)),
        ]
    )
    pred = MetaTensor(torch.rand(2, 6, 6, 6), affine=AFFINE)
    result = chain({"pred": pred, "image_path": "a.nii.gz"})
    assert set(result["pred"].unique().tolist()) <= {0, 1} and result["pred"].shape == (1, 6, 6, 6)
    assert {"anomaly_map", "reconstruction", "anomaly_score", "p_value", "decision", "image_path"} <= set(result)
    broken = Compose([SplitAnomalyMapd(), AnomalyScored(), Calibrated(StoredCalibration("no.json"))])
    with pytest.raises(RuntimeError) as caught:
        broken({"pred": pred})
    assert isinstance(find_medad_error(caught.value), CalibrationError)


def test_bad_arguments() -> None:
    for rate in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="image_false_positive_rate"):
            Calibrated(StoredCalibration(None, image_false_positive_rate=rate))
        with pytest.raises(ValueError, match="voxel_false_positive_rate"):
            Thresholdd(StoredCalibration(None, voxel_false_positive_rate=rate))
    for threshold in (math.nan, math.inf, "high", "nan", ""):
        for build in (Calibrated, Thresholdd, HeatmapPredd):
            with pytest.raises(ValueError, match="threshold"):
                build(StoredCalibration(None, threshold=threshold))
    for rates in ((), (0.01, 0.05), (0.05, 0.05), (0.05, 0.0)):
        with pytest.raises(ValueError, match="rates"):
            ScoreBinPredd(StoredCalibration(None), rates=rates)
    with pytest.raises(KeyError, match="anomaly_score"):
        Calibrated(StoredCalibration(None))({"pred": 1})
    with pytest.raises(KeyError, match="anomaly_map"):
        Thresholdd(StoredCalibration(None, threshold=1.0))({"pred": 1})
