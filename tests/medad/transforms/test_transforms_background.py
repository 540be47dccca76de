# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.phantom import healthy_phantom
from medad.transforms import BackgroundToZerod, FitToGridd, ForegroundMaskd, ScaleByForegroundd, background_to_zero
from medad.transforms.preprocessing import case_preprocessing
from monai.data import MetaTensor

PHANTOM = torch.from_numpy(healthy_phantom(0, 1, 2, (48, 40)))[None]
HEAD = torch.from_numpy(healthy_phantom(0, 1, 3, (24, 28, 20)))[None]


def prepared(image: torch.Tensor, spatial_dims: int, window: tuple[float, float] | None = None) -> torch.Tensor:
    """What the network sees of an image in most bundles."""
    steps = [
        FitToGridd(["image"], [32] * spatial_dims, keep_aspect=True),
        ForegroundMaskd(spatial_dims),
        ScaleByForegroundd("image", spatial_dims, window=window),
    ]
    preprocessing = case_preprocessing(1, spatial_dims, steps, intensity_window=window)
    return preprocessing({"image": image})["image"].as_tensor()  # type: ignore[no-any-return, index, call-overload]


@pytest.mark.parametrize("offset", [-1.0, -1000.0, 1000.0])
@pytest.mark.parametrize("gain", [1.0, 500.0])
@pytest.mark.parametrize(("image", "spatial_dims"), [(PHANTOM, 2), (HEAD, 2), (HEAD, 3)])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_offset_and_gain_do_not_matter(
    image: torch.Tensor, spatial_dims: int, offset: float, gain: float, noise: float
) -> None:
    image = image + noise * torch.rand(image.shape)
    shifted = (gain * image.double() + offset).float()
    expected = prepared(image, spatial_dims)
    assert expected.max() > 1 and expected.min() < 0.1
    torch.testing.assert_close(prepared(shifted, spatial_dims), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("image", [PHANTOM, HEAD])
def test_an_image_with_background_0_comes_back_bit_by_bit(image: torch.Tensor) -> None:
    assert torch.equal(background_to_zero(image), image)
    ringing = image.clone()
    ringing.view(-1)[:3] = -0.2  # a few voxels below the background
    assert torch.equal(background_to_zero(ringing), ringing)


def test_each_channel_of_the_whole_volume_has_its_low_end() -> None:
    volume = torch.stack([HEAD[0] - 5, 100 * HEAD[0] + 7])
    result = BackgroundToZerod("image")({"image": MetaTensor(volume, affine=torch.diag(torch.tensor([2.0, 2, 3, 1])))})
    torch.testing.assert_close(result["image"].as_tensor(), torch.stack([HEAD[0], 100 * HEAD[0]]), atol=1e-4, rtol=0)
    assert result["image"].pixdim.tolist() == [2, 2, 3]
    assert BackgroundToZerod("image", allow_missing_keys=True)({}) == {}


def test_darker_and_brighter_lungs_differ() -> None:
    chest = 1000 * PHANTOM - 1000
    emphysema, opacity = chest.clone(), chest.clone()
    emphysema[:, 20:26, 18:24] = -980
    opacity[:, 20:26, 18:24] = -500
    healthy, dark, bright = (prepared(each, 2) for each in (chest, emphysema, opacity))
    assert (dark - healthy).abs().max() > 0.1
    assert (bright - dark).abs().max() > 0.1


def test_a_window_gives_values_the_same_meaning_in_every_image() -> None:
    chest = 1000 * PHANTOM - 1000
    brighter = chest.clone()
    brighter[:, 20:26, 18:24] = 3000  # metal
    window = (-900.0, -500.0)
    shown, beside_metal = prepared(chest, 2, window), prepared(brighter, 2, window)
    assert shown.min() == 0 and 0.99 < shown.max() <= 1
    assert (shown != beside_metal).float().mean() < 0.1
    assert torch.equal(background_to_zero(chest, window), chest.clamp(-900, -500) + 900)


@pytest.mark.parametrize("window", [(1, 1), (0, float("nan")), (1, 2, 3)])
def test_bad_windows(window: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="window="):
        BackgroundToZerod("image", window)


@pytest.mark.parametrize("sentinel", [-2000.0, -32768.0, 32767.0])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_padding_is_background_before_any_statistics(sentinel: float, spatial_dims: int) -> None:
    air = 1000 * (HEAD if spatial_dims == 3 else PHANTOM) - 1000
    axes = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in air.shape[1:]], indexing="ij")
    corners = (axes[0] ** 2 + axes[1] ** 2)[None] > 1.05
    padded = torch.where(corners, sentinel, air)
    assert torch.equal(prepared(padded, spatial_dims), prepared(air, spatial_dims))
    assert torch.equal(background_to_zero(air), air + 1000)
