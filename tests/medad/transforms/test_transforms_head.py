# SPDX-License-Identifier: Apache-2.0
"""Heads drawn here, with noise around them: scalp, dark skull, brain and ventricle, in several contrasts."""

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.transforms import HeadMaskd, head_mask
from monai.data import MetaTensor
from skimage.draw import ellipse
from torch import Tensor

CONTRASTS = {"flair": (2.0, 0.1, 1.0, 0.2), "t1": (2.5, 0.1, 1.0, 0.3), "t2": (1.4, 0.1, 1.0, 2.5)}
"""Scalp, skull, brain and ventricle."""


def _head(
    contrast: str = "flair",
    size: tuple[int, int] = (256, 256),
    radii: tuple[float, float] = (80.0, 100.0),
    stripped: bool = False,
) -> tuple[Tensor, Tensor]:
    """A slice ``(1, x, y)`` with Rician noise, and where its head is."""
    values = CONTRASTS[contrast]
    image, inside = np.zeros(size), np.zeros(size, dtype=bool)
    shares = (1.0, 0.93, 0.87, 0.2)
    for value, share in list(zip(values, shares, strict=True))[2 if stripped else 0 :]:
        where = ellipse(size[0] / 2, size[1] / 2, share * radii[0], share * radii[1], shape=size)
        image[where] = value
        inside[where] = True
    noise = np.random.default_rng(0).normal(scale=0.04, size=(2, *size))
    return torch.from_numpy(np.hypot(image + noise[0], noise[1])).float()[None], torch.from_numpy(inside)[None]


def _overlap(found: Tensor, truth: Tensor) -> float:
    """Jaccard index; the smoothing makes a head about 1.5 pixels wider."""
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_the_head_in_every_contrast_with_its_dark_parts(contrast: str, stripped: bool) -> None:
    image, head = _head(contrast, stripped=stripped)
    assert _overlap(head_mask(image), head) > 0.93


@pytest.mark.parametrize("scale", [0.75, 1.0, 2.0])
def test_lengths_follow_the_size_of_the_image_and_of_its_voxels(scale: float) -> None:
    size = round(256 * scale)
    image, head = _head(size=(size, size), radii=(80 * scale, 100 * scale))
    found = head_mask(image)
    assert _overlap(found, head) > 0.93
    assert torch.equal(head_mask(1000.0 * image), found)  # no unit of intensity
    tall = MetaTensor(image[:, ::2], affine=torch.diag(torch.tensor([2.0, 1.0, 1.0])))
    assert _overlap(head_mask(tall).as_subclass(Tensor), head[:, ::2]) > 0.93


def test_a_frame_and_streaks_of_noise_are_no_head() -> None:
    image, head = _head()
    image[:, 4:8] += 0.15  # a frame of noise
    image[:, :, 20] += 0.8  # a line of interference, one pixel wide
    image[:, 30:36, 30:36] += 1.0  # a marker apart from the head
    assert _overlap(head_mask(image), head) > 0.93


def test_a_cropped_head_and_one_in_two_parts() -> None:
    image, head = _head()
    cropped = head_mask(image[:, 50:206, 30:226])
    assert _overlap(cropped, head[:, 50:206, 30:226]) > 0.93
    lobes = torch.zeros(1, 128, 128)
    lobes[:, 20:50, 40:90] = lobes[:, 78:108, 40:90] = 1.0
    assert float(head_mask(lobes)[:, 20:108, 40:90].float().mean()) > 0.99  # with what is between


def test_a_volume_has_one_threshold_and_a_hull_in_each_slice() -> None:
    image, head = _head()
    air = torch.from_numpy(np.random.default_rng(1).rayleigh(0.04, size=(1, 256, 256))).float()
    sliver = air.clone()
    sliver[:, 120:136, 120:136] = 1.0  # less than a twentieth of the head
    found = head_mask(torch.stack([air, image, 0.5 * image, sliver], dim=-1))
    assert not bool(found[..., [0, 3]].any())
    assert _overlap(found[..., 1], head) > 0.93 and _overlap(found[..., 2], head) > 0.93


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("radius", [40, 60])
def test_a_phantom_of_water_and_a_background_of_zero(noise: float, radius: int) -> None:
    image, disk = torch.zeros(1, 256, 256), torch.zeros(1, 256, 256, dtype=torch.bool)
    disk[(0, *ellipse(128, 128, radius, radius))] = True
    image[disk] = 1.0
    image += noise * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    found = head_mask(image)
    assert bool((found | ~disk).all())
    assert float(found.sum()) < float(disk.sum()) * ((radius + 2.5) / radius) ** 2


def test_channels_share_their_head() -> None:
    image, head = _head()
    left, right = image.clone(), image.clone()
    left[:, 128:] = 0.0
    right[:, :128] = 0.0
    assert _overlap(head_mask(torch.cat([left, right])), head) > 0.93


def test_the_transform_keeps_a_given_head_and_refuses_what_is_none() -> None:
    image, head = _head()
    case = HeadMaskd()({"image": MetaTensor(image), "case": "a"})
    assert case["foreground"].dtype == torch.uint8 and isinstance(case["foreground"], MetaTensor)
    assert torch.equal(HeadMaskd()({"image": image, "foreground": 3 * head})["foreground"], head.to(torch.uint8))
    with pytest.raises(InputError, match=r"^a: no head found: nothing is bright.*air.*Leave out"):
        HeadMaskd()({"image": torch.zeros(1, 64, 64), "case": "a"})
    noise = torch.from_numpy(np.random.default_rng(1).rayleigh(1.0, size=(1, 64, 64))).float()
    with pytest.raises(InputError, match=r"^a: no head found: what is bright fills \d+% of the image"):
        HeadMaskd()({"image": noise, "case": "a"})
    with pytest.raises(InputError, match=r"foreground of shape \(1, 4, 4\)"):
        HeadMaskd()({"image": image, "foreground": torch.ones(1, 4, 4)})


def test_other_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="image must be"):
        head_mask(torch.rand(4, 4))
