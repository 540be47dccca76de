# SPDX-License-Identifier: Apache-2.0
import pickle

import pytest
import torch
from medad.anomaly_map import MaskForegroundd
from medad.morphology import erode
from monai.data import MetaTensor


@pytest.mark.parametrize("shape", [(16, 16), (12, 12, 12)])
def test_masks_the_map(shape: tuple[int, ...]) -> None:
    dims = len(shape)
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    x = MetaTensor(1.0 + torch.rand(1, *shape), affine=affine)
    foreground = torch.zeros(1, *shape, dtype=torch.uint8)
    foreground[(slice(None), *(slice(2, 9),) * dims)] = 1
    case = {"anomaly_map": x, "foreground": foreground, "case": "a"}
    before = x.clone(), foreground.clone()
    result = pickle.loads(pickle.dumps(MaskForegroundd(dims, erosion=2)))(case)
    inside = erode(foreground, 2, dims)
    assert torch.equal(result["anomaly_map"].as_tensor(), torch.where(inside, x.as_tensor(), 0.0))
    assert torch.equal(result["anomaly_map"].affine, affine)
    assert result["foreground"].dtype == torch.uint8 and torch.equal(result["foreground"] > 0, inside)
    assert 0 < inside.sum() < foreground.sum()
    assert torch.equal(x, before[0]) and torch.equal(foreground, before[1]) and result["case"] == "a"


def test_nan_outside_is_gone() -> None:
    x, foreground = torch.ones(1, 4, 4), torch.ones(1, 4, 4)
    x[0, 0, 0], foreground[0, 0, 0] = torch.nan, 0
    assert MaskForegroundd(2)({"anomaly_map": x, "foreground": foreground})["anomaly_map"].sum() == 15


def test_errors() -> None:
    with pytest.raises(ValueError, match="erosion"):
        MaskForegroundd(2, erosion=-1)
    with pytest.raises(ValueError, match="spatial_dims"):
        MaskForegroundd(1)
    with pytest.raises(KeyError, match="foreground"):
        MaskForegroundd(2)({"anomaly_map": torch.ones(1, 4, 4)})
    with pytest.raises(ValueError, match="use one grid"):
        MaskForegroundd(2)({"anomaly_map": torch.ones(1, 4, 4), "foreground": torch.ones(1, 4, 5)})


def test_the_background_of_the_pseudo_healthy_image_is_that_of_the_image() -> None:
    image, reconstruction = torch.rand(2, 6, 6), torch.rand(2, 6, 6)
    foreground = torch.zeros(1, 6, 6, dtype=torch.uint8)
    foreground[:, 1:5, 1:5] = 1
    case = {
        "image": image,
        "reconstruction": reconstruction,
        "foreground": foreground,
        "anomaly_map": torch.rand(1, 6, 6),
    }
    result = MaskForegroundd(2, erosion=1)(case)["reconstruction"]
    assert torch.equal(result, torch.where(foreground > 0, reconstruction, image))
