# SPDX-License-Identifier: Apache-2.0
"""Marks of clusters become marks of spots; patches are centered where they should be."""

import numpy as np
import pytest
import torch
from medad.transforms import BrightSpotsd, bright_spots
from scipy import ndimage


@pytest.mark.parametrize("dims", [2, 3])
def test_spots_as_scipy_finds_them(dims: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(0.5, 0.02, (24,) * dims).astype(np.float32)
    image[(8,) * dims] = image[(17,) * dims] = 1.0
    region = np.zeros_like(image)
    region[(slice(4, 14),) * dims] = 1
    spots = bright_spots(torch.from_numpy(image)[None], torch.from_numpy(region)[None], sigma=2.0, contrast=4.0)[0]
    detail = image - ndimage.gaussian_filter(image, 2.0, mode="constant", truncate=4.0)
    inside = detail[region > 0]
    expected = (region > 0) & (detail > 4 * 1.4826 * np.median(np.abs(inside)))
    assert spots[(8,) * dims] and not spots[(17,) * dims]  # the other one is not in the region
    assert (spots.numpy() ^ expected).sum() <= 0.01 * region.sum()  # MONAI's Gaussian integrates over the voxel


def test_every_piece_keeps_its_brightest_voxel() -> None:
    image, region = torch.rand(1, 30, 30, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 30, 30)
    region[:, 2:8, 2:8] = region[:, 20:26, 20:26] = 1
    spots = bright_spots(image, region, 2.0, 100.0)
    assert int(spots[:, :10, :10].sum()) == int(spots[:, 18:, 18:].sum()) == 1 and int(spots.sum()) == 2
    assert not bool(bright_spots(image, torch.zeros_like(region), 2.0, 1.0).any())


def test_a_case_without_marks_stays() -> None:
    case = {"image": torch.rand(1, 8, 8), "mask": torch.zeros(1, 8, 8, dtype=torch.uint8)}
    assert BrightSpotsd(2.0, 3.0)(case)["mask"] is case["mask"]
    assert "mask" not in BrightSpotsd(2.0, 3.0)({"image": case["image"]})
    with pytest.raises(ValueError, match="sigma"):
        bright_spots(case["image"], case["mask"], 0.0, 1.0)
    with pytest.raises(ValueError, match="expected"):
        bright_spots(case["image"], case["mask"][:, :4], 1.0, 1.0)


def test_contrast_is_in_standard_deviations_of_the_detail() -> None:
    image = torch.randn(1, 200, 200, generator=torch.Generator().manual_seed(0))
    spots = bright_spots(image, torch.ones_like(image), sigma=8.0, contrast=2.0)
    assert float(spots.float().mean()) == pytest.approx(0.0228, abs=0.003)  # of a normal distribution
