# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map import to_file_grid
from medad.transforms import FitToGridd, OrientVolumed
from monai.data import MetaTensor
from monai.transforms import Compose


@pytest.mark.parametrize("size", [(20, 12), (20, 12, 9)])
def test_every_result_lies_on_its_file(size: tuple[int, ...]) -> None:
    affine = torch.diag(torch.tensor([*[1.0, 1.0, 2.0][: len(size)], 1.0], dtype=torch.float64))
    image = MetaTensor(torch.zeros(1, *size), affine=affine)
    image[0, 2:9, 3:6] = 1
    preprocessing = Compose([OrientVolumed("image"), FitToGridd("image", (40, 40))])
    case = preprocessing({"image": image})
    grid = case["image"]
    assert grid.shape[1:3] == (40, 40)
    case |= {"anomaly_map": MetaTensor(grid.clone()), "foreground": MetaTensor((grid > 0.5).to(torch.uint8))}
    back = to_file_grid(preprocessing)(case)
    assert "reconstruction" not in back  # some methods have none
    for name in ("image", "anomaly_map", "foreground"):
        assert back[name].shape == image.shape
        torch.testing.assert_close(back[name].affine, affine)
        assert torch.equal(back[name].as_tensor() > 0.5, image.as_tensor() > 0.5)
    assert set(back["foreground"].unique().tolist()) == {0, 1}  # the nearest value
    assert back["anomaly_map"].unique().numel() > 2  # interpolated
