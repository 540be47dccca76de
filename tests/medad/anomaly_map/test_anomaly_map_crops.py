# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map import crop_around, find_candidates
from monai.data import MetaTensor
from monai.transforms import SpatialCrop, SpatialPad
from torch import Tensor


@pytest.mark.parametrize(
    ("spatial", "size"), [((20, 15), (6, 6)), ((20, 15), (5, 30)), ((9, 8, 10), (4, 5, 3)), ((9, 8, 10), (4, 6, 1))]
)
def test_equals_monai_on_a_padded_image(spatial: tuple[int, ...], size: tuple[int, ...]) -> None:
    image = torch.rand(2, *spatial) + 0.1
    voxels = torch.stack([torch.randint(extent, (50,)) for extent in spatial], dim=1)
    centers = voxels + torch.rand(50, len(spatial)) - 0.5
    margin = max(size)
    padded = SpatialPad([extent + 2 * margin for extent in spatial])(image)
    crops = crop_around(image, centers, size)
    assert crops.shape == (50, 2, *size)
    for voxel, crop in zip(voxels, crops, strict=True):
        assert torch.equal(crop, SpatialCrop(roi_center=(voxel + margin).tolist(), roi_size=size)(padded).as_tensor())
    at_center = crops[(slice(None), slice(None), *(extent // 2 for extent in size))]
    assert torch.equal(at_center, image[(slice(None), *voxels.unbind(1))].T)
    assert (crops == 0).any()  # some reach beyond the border


def test_far_outside_is_zero_and_no_center_is_no_crop() -> None:
    image = torch.ones(3, 8, 8)
    assert not crop_around(image, torch.tensor([[100.0, 3.0], [3.0, -100.0]]), (4, 4)).any()
    assert crop_around(image, torch.zeros(0, 2), (4, 4)).shape == (0, 3, 4, 4)


def test_crops_of_candidates_show_them_in_the_middle() -> None:
    anomaly_map = torch.zeros(1, 40, 50)
    for x, y in ((0, 0), (20, 30), (37, 47)):
        anomaly_map[0, x : x + 3, y : y + 3] = 1
    found = find_candidates(anomaly_map, 2, 0.5)
    crops = crop_around(MetaTensor(anomaly_map), found.centroids, (9, 9))
    expected = torch.zeros(9, 9)
    expected[3:6, 3:6] = 1
    assert len(crops) == 3 and not isinstance(crops, MetaTensor)
    assert all(torch.equal(crop[0], expected) for crop in crops)


def test_nan_beyond_the_crop_does_not_spread_and_the_type_stays() -> None:
    image = torch.full((1, 4, 4), torch.nan, dtype=torch.float16)
    image[0, 0] = 1
    crop = crop_around(image, torch.tensor([[-1.0, 1.0]]), (3, 2))
    assert crop.dtype == torch.float16 and crop.tolist() == [[[[0, 0], [0, 0], [1, 1]]]]


@pytest.mark.parametrize(
    ("centers", "size", "message"),
    [
        (torch.zeros(2), (3, 3), "expected"),
        (torch.zeros(2, 3), (3, 3), "expected"),
        (torch.zeros(2, 2), (3, 3, 3), "expected"),
        (torch.zeros(2, 2), (3, 0), "size"),
        (torch.full((2, 2), torch.nan), (3, 3), "NaN"),
    ],
)
def test_errors(centers: Tensor, size: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crop_around(torch.zeros(1, 8, 8), centers, size)
