# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map import SplitAnomalyMapd
from monai.data import MetaTensor
from monai.transforms import MapTransform


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4)])
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_splits(shape: tuple[int, ...], channels: int) -> None:
    pred = torch.rand(1 + channels, *shape)
    case = {"pred": pred, "case": "a", "image_path": "x.nii.gz"}
    result = SplitAnomalyMapd()(case)
    assert torch.equal(result["anomaly_map"], pred[:1])
    assert ("reconstruction" in result) == (channels > 0)
    if channels:
        assert torch.equal(result["reconstruction"], pred[1:])
    assert "pred" not in result and "pred" in case
    assert result["case"] == "a" and result["image_path"] == "x.nii.gz"


def test_half_precision_becomes_float32() -> None:
    result = SplitAnomalyMapd()({"pred": torch.rand(2, 4, 4).half()})
    assert result["anomaly_map"].dtype == result["reconstruction"].dtype == torch.float32


def test_metadata_stays() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    result = SplitAnomalyMapd()({"pred": MetaTensor(torch.rand(2, 4, 4, 4), affine=affine)})
    for key in ("anomaly_map", "reconstruction"):
        assert isinstance(result[key], MetaTensor)
        assert torch.equal(result[key].affine, affine)
    assert not isinstance(SplitAnomalyMapd()({"pred": torch.rand(2, 4, 4)})["anomaly_map"], MetaTensor)


def test_names_can_be_changed() -> None:
    split = SplitAnomalyMapd(pred_key="out", map_key="map", reconstruction_key="healthy")
    assert set(split({"out": torch.rand(2, 4, 4)})) == {"map", "healthy"}


def test_errors() -> None:
    with pytest.raises(KeyError, match=r"no entry 'pred'.*image"):
        SplitAnomalyMapd()({"image": torch.rand(1, 4, 4)})
    for shape in [(4, 4), (0, 4, 4), (1, 1, 4, 4, 4)]:
        with pytest.raises(ValueError, match="pred must be"):
            SplitAnomalyMapd()({"pred": torch.rand(*shape)})


def test_a_host_sees_that_the_chain_takes_dictionaries() -> None:
    assert isinstance(SplitAnomalyMapd(), MapTransform)
