# SPDX-License-Identifier: Apache-2.0
import time

import pytest
import torch
from medad.transforms import FitToGrid, FitToGridd
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Resize

SIZES = [
    ((50, 60), (32, 32)),
    ((300, 60), (32, 32)),
    ((130, 140, 3), (16, 16)),
    ((32, 32), (32, 32)),
    ((20, 30, 7), (32, 32)),
    ((20, 30, 12), (16, 16, 16)),
]


@pytest.mark.parametrize(("size", "grid"), SIZES)
@pytest.mark.parametrize("keep_aspect", [True, False])
def test_a_map_returns_to_the_grid_of_the_file(size: tuple[int, ...], grid: tuple[int, ...], keep_aspect: bool) -> None:
    fit = Compose([FitToGridd("image", grid, keep_aspect)])
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    image = MetaTensor(torch.rand(1, *size), affine=affine)
    case = fit({"image": image})
    assert case["image"].shape == (1, *grid, *size[len(grid) :])
    case["anomaly_map"] = MetaTensor(torch.rand(case["image"].shape))
    back = Invertd("anomaly_map", fit, "image")(case)["anomaly_map"]
    assert back.shape == image.shape
    torch.testing.assert_close(back.affine, image.affine)


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (100, 30), (300, 290)])
def test_a_blob_returns_to_its_place(size: tuple[int, int]) -> None:
    image = torch.zeros(1, *size)
    image[0, 10:16, 12:18] = 1
    fit = FitToGrid((32, 32))
    back = fit.inverse(fit(MetaTensor(image)))[0]
    assert back.shape == size
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    center = torch.stack([(axis * back).sum() / back.sum() for axis in axes])
    torch.testing.assert_close(center, torch.tensor([12.5, 14.5]), atol=1.0, rtol=0)


def test_proportions_are_kept_or_stretched() -> None:
    image = MetaTensor(torch.ones(1, 40, 20))
    image[:, :, :] = torch.linspace(0, 1, 20)
    kept = FitToGrid((32, 32))(image)[0]
    # 40 x 20 becomes 32 x 16; the border is repeated to fill the square
    assert torch.equal(kept[:, :8], kept[:, 8:9].expand(-1, 8))
    stretched = FitToGrid((32, 32), keep_aspect=False)(image)[0]
    assert stretched[0].diff().min() > 0


@pytest.mark.parametrize(
    ("spacing", "size", "grid"),
    [
        ((1.0, 2.0), (40, 20), (32, 32)),  # 40 x 40 mm
        ((1.0, 2.0, 5.0), (40, 20, 8), (32, 32, 32)),  # 40 x 40 x 40 mm
        ((1.0, 2.0, 5.0), (40, 20, 3), (32, 32)),  # slice by slice
    ],
)
def test_voxel_sizes_count_in_the_proportions(
    spacing: tuple[float, ...], size: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    image = MetaTensor(torch.zeros(1, *size), affine=torch.diag(torch.tensor([*spacing, 1.0])[: len(size) + 1]))
    box = tuple(slice(n // 4, n // 2) for n in size[: len(grid)])
    image[(0, *box)] = 1
    fit = FitToGrid(grid)
    fitted = fit(image)
    assert fitted.shape == (1, *grid, *size[len(grid) :])
    # the grid is full: a quarter of it, not less, along every axis, between 8 and 16 of 32
    assert (fitted[0] > 0.5).sum() == 8 ** len(grid) * (size[-1] if len(size) > len(grid) else 1)
    assert (fitted[(0, *[slice(8, 16)] * len(grid))] > 0.5).all()
    back = fit.inverse(fitted)
    assert torch.equal(back > 0.5, image > 0.5)
    torch.testing.assert_close(back.affine, image.affine)


def test_a_much_larger_image_is_averaged_like_a_slowly_smoothed_one() -> None:
    axes = torch.meshgrid(torch.linspace(0, 3, 512), torch.linspace(0, 2, 512), indexing="ij")
    image = (torch.sin(axes[0]) * torch.cos(axes[1]))[None] + 0.5 * torch.rand(1, 512, 512)
    slow = Resize((32, 32), mode="bilinear", anti_aliasing=True)(image)
    difference = (FitToGrid((32, 32))(MetaTensor(image)) - slow).abs()
    assert difference[:, 2:-2, 2:-2].max() < 0.02  # noise of 0.29 per pixel
    assert difference.max() < 0.1  # MONAI's smoothing takes 0 for what is beyond the border


def test_a_strip_of_many_pixels_takes_no_time() -> None:
    start = time.perf_counter()
    assert FitToGrid((32, 32))(MetaTensor(torch.rand(1, 60000, 32))).shape == (1, 32, 32)
    assert time.perf_counter() - start < 2.0  # 13 s without averaging


def test_masks_keep_their_values() -> None:
    mask = MetaTensor((torch.rand(1, 37, 53) > 0.5).to(torch.uint8))
    assert set(FitToGrid((16, 16), nearest=True)(mask).unique().tolist()) <= {0, 1}
    assert FitToGrid((16, 16))(mask.float()).unique().numel() > 2


def test_too_few_axes_are_named() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        FitToGrid((8, 8, 8))(torch.zeros(1, 8, 8))
