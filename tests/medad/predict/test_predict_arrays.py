# SPDX-License-Identifier: Apache-2.0
"""Arrays in every layout become the image that their file would have given, and come back in their layout."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.predict.arrays import image_from_array
from medad.predict.inputs import axis_order_of_file
from medad.transforms import LoadImageFiled
from monai.data import MetaTensor
from PIL import Image

PICTURE = np.arange(35, dtype=np.uint8).reshape(7, 5)
COLORS = np.arange(105, dtype=np.uint8).reshape(7, 5, 3)
VOLUME = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
AFFINE = np.array([[0, 2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 1], [0, 0, 0, 1]])
CASES: list[tuple[Any, int | None, tuple[int, ...]]] = [
    (PICTURE, None, (1, 5, 7)),
    (PICTURE[None], 0, (1, 5, 7)),
    (COLORS, -1, (3, 5, 7)),
    (COLORS, 2, (3, 5, 7)),
    (np.moveaxis(COLORS, -1, 0), 0, (3, 5, 7)),
    (np.moveaxis(COLORS, -1, 1), 1, (3, 5, 7)),
    (VOLUME, None, (1, 5, 6, 7)),
    (np.stack([VOLUME, VOLUME + 1]), 0, (2, 5, 6, 7)),
    (np.stack([VOLUME, VOLUME + 1], axis=-1), -1, (2, 5, 6, 7)),
    (VOLUME[:1, :1, :1][None], 0, (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("array", "channel_axis", "shape"), CASES)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda array: torch.from_numpy(array).float()])
def test_there_and_back(array: Any, channel_axis: int | None, shape: tuple[int, ...], kind: Any) -> None:
    image, layout = image_from_array(kind(np.ascontiguousarray(array)), channel_axis)
    assert image.shape == shape and image.dtype == torch.float32
    np.testing.assert_array_equal(layout.array(image), array)
    plain = layout.without_channels().array(image[:1])
    assert plain.shape == tuple(np.delete(array.shape, channel_axis) if channel_axis is not None else array.shape)


@pytest.mark.parametrize(("array", "channel_axis"), [(PICTURE, None), (COLORS, -1), (VOLUME, None)])
def test_an_array_is_what_its_file_is(tmp_path: Path, array: np.ndarray, channel_axis: int | None) -> None:
    affine = AFFINE if array.ndim == 3 and channel_axis is None else None
    if affine is None:
        path = tmp_path / "image.png"
        Image.fromarray(array).save(path)
    else:
        path = tmp_path / "image.nii"
        nibabel.save(nibabel.Nifti1Image(array, affine), path)
    loaded = LoadImageFiled("image")({"image": str(path)})["image"]
    image, layout = image_from_array(array, channel_axis, affine)
    assert torch.equal(loaded.as_tensor(), image.as_tensor())
    assert torch.equal(loaded.affine, image.affine)
    assert axis_order_of_file(str(path), loaded) == layout


def test_a_meta_tensor_speaks_for_itself() -> None:
    given = MetaTensor(torch.rand(1, 3, 4, 5, dtype=torch.float64), affine=torch.from_numpy(AFFINE))
    image, layout = image_from_array(given.requires_grad_())
    assert image.dtype == torch.float32 and not image.requires_grad
    assert torch.equal(image.affine, given.affine)
    np.testing.assert_array_equal(layout.array(image), image.numpy())
    with pytest.raises(InputError, match="MetaTensor"):
        image_from_array(given, affine=AFFINE)


@pytest.mark.parametrize(
    ("array", "options", "match"),
    [
        (np.zeros((8, 8, 3)), {}, "channels or a volume of few slices"),
        (np.zeros((1, 8, 8)), {}, "channels or a volume of few slices"),
        (np.zeros(8), {}, "shape"),
        (np.zeros((2, 8, 8, 8, 1)), {"channel_axis": 0}, "shape"),
        (np.zeros((8, 8)), {"channel_axis": 0}, "shape"),
        (np.zeros((8, 8, 3)), {"channel_axis": 3}, "channel_axis 3"),
        (np.zeros((8, 8), dtype=complex), {}, "complex"),
        (np.full((8, 8), "a"), {}, "<U1"),
        (np.zeros((8, 8)), {"affine": np.eye(4)}, "picture"),
        (np.zeros((8, 8, 8)), {"affine": np.eye(3)}, r"affine of shape \(3, 3\)"),
        (np.zeros((8, 8, 8)), {"affine": np.diag([1, 0, 1, 1])}, "axes lie in one plane|voxel sizes"),
        (np.zeros((8, 8, 8)), {"affine": np.full((4, 4), np.nan)}, "voxel sizes of nan"),
    ],
)
def test_what_is_no_image(array: np.ndarray, options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        image_from_array(array, **options)
