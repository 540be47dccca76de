# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.calibration import HeatmapPredd, ScoreBinPredd, StoredCalibration, Thresholdd, load_calibration
from monai.data import MetaTensor

AFFINE = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))


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


@pytest.mark.parametrize("rates", [(), (0.01, 0.05), (0.05, 0.05), (0.05, 0.0)])
def test_rates_of_bins_must_fall(rates: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rates"):
        ScoreBinPredd(StoredCalibration(None), rates=rates)
