# SPDX-License-Identifier: Apache-2.0
import copy

import pytest
import torch
from medad.calibration import CalibrationBuilder, HeatmapPredd, StoredCalibration, Thresholdd, load_calibration
from medad.networks import weights_hash
from monai.data import MetaTensor

AFFINE = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))


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


def test_without_a_map_there_is_no_mask() -> None:
    with pytest.raises(KeyError, match="anomaly_map"):
        Thresholdd(StoredCalibration(None, threshold=1.0))({"pred": 1})


def test_a_threshold_from_few_subjects_is_noted(files: dict[str, str]) -> None:
    """Of 40 subjects that are alike a new one has what is asked for; of 6 that are not it may have far more."""
    case = {"anomaly_map": torch.rand(1, 8, 8), "note": "Seen before.", "result": {}}
    assert Thresholdd(StoredCalibration(**files))(case)["note"] == "Seen before."
    builder = CalibrationBuilder({str(i): 1 for i in range(6)})
    for i in range(6):
        builder.update(float(i), torch.rand(1, 64, 64) * 2.0**i, None, str(i))
    builder.build("d" * 64, weights_hash(files["weights_path"])).save(files["path"])
    asked = {**files, "voxel_false_positive_rate": 0.01}
    noted = Thresholdd(StoredCalibration(**asked))(case)
    assert noted["note"].startswith("Seen before. The voxel threshold is made from 6 subjects: ")
    assert "1 % was asked for" in noted["note"] and noted["result"] == {"note": noted["note"]}
    assert Thresholdd(StoredCalibration(**asked, threshold=0.5))(case)["note"] == "Seen before."
