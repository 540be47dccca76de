# SPDX-License-Identifier: Apache-2.0
"""Slices of volumes: which ones, of what, and what their labels are."""

from typing import Any

import pytest
import torch
from medad.errors import InputError
from medad.transforms import OrientVolumed, SlicesOfVolume
from monai.data import MetaTensor
from monai.transforms import Orientation, SpatialPad

LPS = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))


def volume(**entries: Any) -> dict[str, Any]:
    """Slice k of 8 has a square of edge k as its foreground, with value k + 1 in it; slice 0 has none."""
    image, foreground = torch.zeros(1, 8, 8, 8), torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    for k in range(8):
        foreground[:, :k, :k, k] = 1
        image[:, :k, :k, k] = k + 1
    image[0, 7, 7, :] = 0.5  # no slice is constant
    meta = {"image": MetaTensor(image, affine=LPS), "foreground": MetaTensor(foreground, affine=LPS)}
    return {"case": "head", "subject_id": "s", **meta, **entries}


@pytest.mark.parametrize(("share", "chosen"), [(0.0, range(1, 8)), (0.1, range(3, 8)), (0.5, range(5, 8)), (1.0, [7])])
def test_slices_with_enough_foreground(share: float, chosen: Any) -> None:
    slices = SlicesOfVolume(2, share)(volume())
    assert isinstance(slices, list)
    assert [item["case"] for item in slices] == [f"head, slice {k}" for k in chosen]
    for item, k in zip(slices, chosen, strict=True):
        assert item["image"].shape == item["foreground"].shape == (1, 8, 8)
        assert not isinstance(item["image"], MetaTensor) and item["subject_id"] == "s"
        assert item["image"][0, 0, 0] == k + 1 and int(item["foreground"].sum()) == k * k


def test_without_foreground_only_constant_slices_go() -> None:
    item = volume()
    del item["foreground"]
    item["image"][..., 4] = 3.0
    slices = SlicesOfVolume(2)(item)
    assert [part["case"] for part in slices] == [f"head, slice {k}" for k in range(8) if k != 4]


def test_images_and_volumes_of_3d_networks_stay() -> None:
    assert SlicesOfVolume(3)(volume())["image"].shape == (1, 8, 8, 8)
    assert SlicesOfVolume(2)({"image": torch.rand(1, 8, 8)})["image"].shape == (1, 8, 8)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR"])
def test_the_mask_of_the_file_gives_labels(axes: str) -> None:
    """The mask lies on the axes of the file; the image has been oriented and fitted to a grid."""
    mask = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    mask[0, 2, 3, 5:7] = 1
    marked = MetaTensor(mask, affine=LPS)
    if axes != "LPS":
        marked = Orientation(axes, labels=(("L", "R"), ("P", "A"), ("I", "S")))(marked)
    item = volume(mask=marked, label=1)
    slices = SlicesOfVolume(2, 0.0)(OrientVolumed(["image", "foreground"])(item))
    assert [part["label"] for part in slices] == [int(k in (5, 6)) for k in range(1, 8)]
    item["image"] = SpatialPad((12, 12, -1))(item["image"])
    assert [part["label"] for part in SlicesOfVolume(2, 0.0)(item)] == [int(k in (5, 6)) for k in range(1, 8)]


def test_an_abnormal_volume_needs_a_mask() -> None:
    with pytest.raises(InputError, match="head: an abnormal volume without a mask"):
        SlicesOfVolume(2)(volume(label=1))
    assert len(SlicesOfVolume(2)(volume(label=0))) == 5


@pytest.mark.parametrize("arguments", [(4,), (2, -0.1), (2, 1.5)])
def test_bad_arguments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"spatial_dims|min_foreground"):
        SlicesOfVolume(*arguments)
