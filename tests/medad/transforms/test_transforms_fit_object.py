# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.transforms import FitObjectToGridd, object_box
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from torch import Tensor
from torch.nn import functional as F


def _object(size: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> MetaTensor:
    mask = torch.zeros(1, *size, dtype=torch.uint8)
    mask[(0, *(slice(first, last) for first, last in zip(low, high, strict=True)))] = 1
    return MetaTensor(mask, affine=torch.diag(torch.tensor([1.0, 2.0, 4.0, 1.0])))


def test_the_box_leaves_a_point_of_the_grid_on_each_side() -> None:
    mask = torch.zeros(40, 60)
    mask[10:20, 5:45] = 1
    assert object_box(mask, (12, 42)) == [(9, 12), (4, 42)]
    assert object_box(mask, (96, 96)) == [(9, 12), (4, 42)]  # a whole voxel at least
    assert object_box(mask, (42, 42), (1.0, 1.0)) == [(-6, 42), (4, 42)]  # beyond the image
    assert object_box(mask, (42, 42), (2.0, 1.0)) == [(4, 21), (4, 42)]
    assert object_box(torch.zeros(4, 4), (8, 8)) is None


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize(
    ("size", "grid"),
    [((40, 44), (96, 96)), ((200, 180), (32, 32)), ((200, 180, 9), (48, 48, 48)), ((64, 64, 3), (96, 96))],
)
def test_the_object_fills_the_grid_and_does_not_touch_its_border(
    size: tuple[int, ...], grid: tuple[int, ...], keep_aspect: bool
) -> None:
    foreground = torch.ones(1, *size, dtype=torch.uint8)  # it fills the image
    fitted = FitObjectToGridd("foreground", grid, keep_aspect, nearest=True)({"foreground": foreground})["foreground"]
    assert fitted.dtype == torch.uint8
    covered = []
    for axis, side in enumerate(grid, 1):
        assert not bool(fitted.select(axis, 0).any() or fitted.select(axis, side - 1).any())
        covered.append(fitted.flatten(1).any() and fitted.movedim(axis, 0).flatten(1).any(dim=1).sum() / side)
    assert max(covered) > 0.9
    assert keep_aspect or min(covered) > 0.65  # of 9 slices 2 are margin


def test_what_lies_in_the_box_is_interpolated() -> None:
    foreground = _object((50, 60), (10, 20), (40, 34))
    image = MetaTensor(torch.rand(1, 50, 60), affine=foreground.affine)
    for side in (32, 16):
        fitted = FitObjectToGridd("image", (side, side))({"image": image, "foreground": foreground})["image"]
        (x, width), (y, height) = object_box(foreground[0], (side, side)) or []
        box = image.as_subclass(Tensor)[None, :, x : x + width, y : y + height]
        expected = F.interpolate(box, (side, side), mode="bilinear", antialias=True)[0]
        torch.testing.assert_close(fitted.as_subclass(Tensor), expected, atol=1e-6, rtol=0)


def test_proportions_are_kept_with_voxel_sizes() -> None:
    fit = FitObjectToGridd("foreground", (32, 32), keep_aspect=True, nearest=True)
    for high, share in ((36, 1.0), (28, 0.5)):  # 32 mm x 32 mm, and 32 mm x 16 mm: half of the grid
        found = fit({"foreground": _object((60, 60), (10, 20), (42, high))})["foreground"][0]
        sides = [int(found.any(dim=axis).sum()) for axis in (1, 0)]
        assert sides[0] >= 28 and sides[1] == pytest.approx(share * sides[0], abs=2)


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize(
    ("size", "low", "high", "grid"),
    [
        ((50, 60), (0, 20), (42, 60), (32, 32)),
        ((50, 60, 3), (5, 20, 0), (42, 50, 2), (32, 32)),  # slice by slice, the last one empty
        ((50, 60, 9), (5, 20, 2), (42, 50, 9), (16, 16, 16)),
    ],
)
def test_a_voxel_returns_to_its_place(
    size: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...], grid: tuple[int, ...], keep_aspect: bool
) -> None:
    foreground = _object(size, low, high)
    image = foreground.float()
    lesion = tuple((first + 2 * last) // 3 for first, last in zip(low, high, strict=True))
    image[(0, *lesion)] = 1000.0
    fit = Compose([FitObjectToGridd(["image", "foreground"], grid, keep_aspect, [False, True])])
    case = fit({"image": image, "foreground": foreground})
    assert case["image"].shape == (1, *grid, *size[len(grid) :])
    case["anomaly_map"] = case["image"].clone()
    back = Invertd(["anomaly_map", "foreground"], fit, "image", nearest_interp=[False, True])(case)
    assert back["anomaly_map"].shape == image.shape and back["foreground"].dtype == foreground.dtype
    torch.testing.assert_close(back["anomaly_map"].affine, image.affine)
    peak = torch.unravel_index(back["anomaly_map"].as_subclass(Tensor).argmax(), image.shape)
    step = [max(1, -(-(last - first) // side)) for first, last, side in zip(low, high, grid, strict=False)] + [0]
    for found, true, reach in zip(peak[1:], lesion, step, strict=False):
        assert abs(int(found) - true) <= reach
    outside = back["anomaly_map"].as_subclass(Tensor)[foreground.as_subclass(Tensor) == 0]
    assert float(outside.abs().max()) < 1000.0
    found, true = back["foreground"].as_subclass(Tensor), foreground.as_subclass(Tensor)
    assert set(found.unique().tolist()) <= {0, 1}
    assert float((found != true).float().sum()) <= 0.12 * float(true.sum())


def test_the_affine_of_the_grid_leads_to_the_same_place() -> None:
    foreground = _object((50, 60, 9), (5, 20, 2), (45, 50, 9))
    x, y, z = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in (50, 60, 9)), indexing="ij")
    image = MetaTensor(torch.stack([x, y, z]), affine=foreground.affine)
    fitted = FitObjectToGridd("image", (80, 60, 14))({"image": image, "foreground": foreground})["image"]
    middle = torch.tensor([40.0, 30.0, 7.0, 1.0])
    source = torch.cat([fitted.as_subclass(Tensor)[:, 40, 30, 7], torch.ones(1)]).double()
    torch.testing.assert_close(
        fitted.affine.double() @ middle.double(), image.affine.double() @ source, atol=1e-4, rtol=0
    )


def test_each_slice_is_as_if_it_were_alone() -> None:
    first, second = _object((30, 30), (3, 5), (20, 22)), _object((30, 30), (10, 10), (28, 18))
    images = torch.rand(2, 1, 30, 30)
    fit = FitObjectToGridd("image", (16, 16))
    volume = fit({"image": images.movedim(0, -1), "foreground": torch.stack([first, second], dim=-1)})["image"]
    for number, mask in enumerate((first, second)):
        alone = fit({"image": images[number], "foreground": mask})["image"]
        torch.testing.assert_close(volume[..., number], alone)


def test_other_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 spatial axes are expected"):
        FitObjectToGridd("image", (8, 8, 8))({"image": torch.rand(1, 8, 8), "foreground": torch.ones(1, 8, 8)})
