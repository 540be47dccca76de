# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
import torch
from medad.engines import PrepareDenoising, PrepareRestoration, PrepareSeparation
from medad.errors import InputError
from medad.losses import TTestSeparationLoss
from medad.noise import CoarseNoise
from monai.data import MetaTensor
from scipy import ndimage


@pytest.mark.parametrize("spatial", [(16, 16), (8, 8, 8)])
def test_noise_stays_in_the_foreground_and_the_target_is_clean(spatial: tuple[int, ...]) -> None:
    image = torch.rand(4, 1, *spatial)
    foreground = (torch.rand(4, 1, *spatial) > 0.5).to(torch.uint8)
    prepare = PrepareDenoising(CoarseNoise(len(spatial), resolution=4))
    noisy, (clean, mask) = prepare({"image": MetaTensor(image), "foreground": foreground})
    assert type(noisy) is torch.Tensor
    assert torch.equal(clean, image) and torch.equal(mask, foreground.float())
    changed = noisy != image
    assert not changed[foreground == 0].any() and changed[foreground > 0].float().mean() > 0.99


def test_samples_differ_and_the_seed_of_the_run_decides() -> None:
    prepare = PrepareDenoising(CoarseNoise(2, resolution=4))
    batch = {"image": torch.zeros(2, 1, 16, 16), "foreground": torch.ones(2, 1, 16, 16)}
    torch.manual_seed(1)
    first, _ = prepare(batch)
    second, _ = prepare(batch)
    torch.manual_seed(1)
    again, _ = prepare(batch)
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_volumes_for_a_2d_network_are_explained() -> None:
    batch = {"image": torch.zeros(1, 1, 8, 8, 8), "foreground": torch.ones(1, 1, 8, 8, 8)}
    with pytest.raises(InputError, match=r"volume_3d\.json"):
        PrepareDenoising(CoarseNoise(2))(batch)


@pytest.mark.parametrize("size", [(17, 15), (9, 8, 10)])
@pytest.mark.parametrize("dilation", [0, 1, 3])
def test_masks_are_dilated_along_every_axis(size: tuple[int, ...], dilation: int) -> None:
    mask = (torch.rand(3, 1, *size, generator=torch.Generator().manual_seed(5)) > 0.98) * 255
    images = torch.rand(3, 1, *size)
    given, (image, dilated) = PrepareSeparation(len(size), dilation)({"image": images, "mask": mask})
    assert torch.equal(given, images) and torch.equal(image, images)
    cube = np.ones((2 * dilation + 1,) * len(size), dtype=bool)
    for found, original in zip(dilated, mask, strict=True):
        expected = ndimage.binary_dilation(original[0].numpy() > 0, cube)
        np.testing.assert_array_equal(found[0].numpy(), expected.astype(np.float32))


def test_the_loss_takes_what_it_gives() -> None:
    batch = {"image": torch.rand(2, 1, 8, 8), "mask": torch.zeros(2, 1, 8, 8)}
    batch["mask"][0, 0, 4, 4] = 1
    images, target = PrepareSeparation(2, 1)(batch)
    noisy = images + 0.25
    assert float(TTestSeparationLoss(margin=0.8)(noisy, target)) == pytest.approx(0.8 - 0.25 + 0.25, abs=1e-5)


def test_wrong_input_of_a_separation_is_named() -> None:
    with pytest.raises(ValueError, match="dilation"):
        PrepareSeparation(2, -1)
    volume = torch.zeros(1, 1, 4, 4, 4)
    with pytest.raises(InputError, match="3 spatial axes"):
        PrepareSeparation(2)({"image": volume, "mask": volume})


@pytest.mark.parametrize("size", [(8, 8), (4, 6, 8)])
def test_images_with_lesions_what_heals_them_and_the_context_by_name(size: tuple[int, ...]) -> None:
    names = ("image", "change", "lesions", "depth", "expected", "spread")
    batch = {name: torch.rand(2, 1, *size) for name in names}
    images, target, positional, named = PrepareRestoration(len(size))(batch)
    assert torch.equal(images, batch["image"]) and positional == () and named == {}
    for given, name in zip(target, ("change", "lesions", "depth"), strict=True):
        assert torch.equal(given, batch[name])
    *_, named = PrepareRestoration(len(size), ["expected", "spread"])(batch)
    assert set(named) == {"expected", "spread"} and torch.equal(named["spread"], batch["spread"])
