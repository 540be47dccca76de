# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.transforms import CropCentersd
from monai.transforms import RandCropByPosNegLabeld


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("dims", [2, 3])
def test_patches_are_around_lesions_or_in_the_object(marked: bool, dims: int) -> None:
    mask, foreground = (torch.zeros(1, *[20] * dims, dtype=torch.uint8) for _ in range(2))
    foreground[(0, *[slice(5, 15)] * dims)] = 1
    mask[(0, *[slice(6, 8)] * dims)] = int(marked)
    image = torch.arange(mask.numel(), dtype=torch.float32).reshape(mask.shape)
    case = CropCentersd()({"image": image, "mask": mask, "foreground": foreground})
    crop = RandCropByPosNegLabeld(
        ["image"], "mask", [1] * dims, 1, 0, 50, fg_indices_key="crop_centers", bg_indices_key="crop_centers_bg"
    )
    crop.set_random_state(0)
    found = {int(patch["image"]) for patch in crop(case)}
    wanted = set((mask if marked else foreground).flatten().nonzero()[:, 0].tolist())
    assert len(found) > 3 and found <= wanted


def test_of_many_centers_some_are_kept() -> None:
    case = {"mask": torch.zeros(1, 40, 40)}
    kept = CropCentersd(most=100)(case)["crop_centers"]
    assert len(kept) == 100 and torch.equal(kept, torch.arange(0, 1600, 16, dtype=torch.int32))
    with pytest.raises(ValueError, match="most"):
        CropCentersd(most=0)
