# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.transforms import ScaleByForegroundd, scale_by_foreground


def _case(*shape: int) -> dict[str, torch.Tensor]:
    image = torch.rand(shape) * 100
    return {"image": image, "foreground": (torch.rand(1, *shape[1:]) > 0.3).to(torch.uint8)}


@pytest.mark.parametrize(("spatial_dims", "shape"), [(2, (1, 20, 30)), (2, (3, 20, 30)), (3, (2, 9, 10, 11))])
def test_equals_numpy(spatial_dims: int, shape: tuple[int, ...]) -> None:
    case = _case(*shape)
    scaled = ScaleByForegroundd("image", spatial_dims, quantile=0.9, target=0.8, clip=1.2)(case)["image"].numpy()
    inside = case["foreground"][0].numpy() > 0
    for channel, result in zip(case["image"].numpy(), scaled, strict=True):
        expected = np.clip(0.8 * channel / np.quantile(channel[inside], 0.9), 0, 1.2)
        np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_each_slice_of_a_volume_is_scaled_as_if_it_came_alone() -> None:
    case = _case(1, 12, 10, 5)
    scale = ScaleByForegroundd("image", spatial_dims=2)
    whole = scale(case)["image"]
    for z in range(5):
        alone = scale({key: value[..., z] for key, value in case.items()})["image"]
        torch.testing.assert_close(whole[..., z], alone)
    assert not torch.allclose(whole, ScaleByForegroundd("image", spatial_dims=3)(case)["image"])


def test_gain_does_not_matter_and_no_foreground_gives_zero() -> None:
    case = _case(1, 16, 16)
    scale = ScaleByForegroundd("image", 2)
    torch.testing.assert_close(scale({**case, "image": 7 * case["image"]})["image"], scale(case)["image"])
    assert not scale_by_foreground(case["image"], torch.zeros(1, 16, 16), 2, 0.99, 1.0, 1.5).any()


def test_a_window_has_one_scale_for_all_images() -> None:
    case = _case(1, 12, 10, 5)
    scaled = ScaleByForegroundd("image", 2, target=0.8, window=(-1000, 400))(case)["image"]
    torch.testing.assert_close(scaled, 0.8 * case["image"] / 1400)


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ({"image": torch.eye(8)[None] * 3, "foreground": torch.eye(8)[None]}, "one value only, 1 after scaling"),
        ({"image": -torch.rand(1, 8, 8), "foreground": torch.ones(1, 8, 8)}, "one value only, 0 after scaling"),
        ({"image": torch.rand(1, 8, 8), "foreground": torch.zeros(1, 8, 8)}, "the foreground is empty"),
    ],
)
def test_an_object_without_contrast_is_refused(case: dict[str, torch.Tensor], found: str) -> None:
    with pytest.raises(InputError, match=f"head_1: .*{found}.*intensity_window"):
        ScaleByForegroundd("image", 2)({**case, "case": "head_1"})


@pytest.mark.parametrize("wrong", [{"quantile": 1.0}, {"target": 0.0}, {"clip": 0.5}, {"window": (5, 1)}])
def test_wrong_arguments_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ScaleByForegroundd("image", 2, **wrong)
