# SPDX-License-Identifier: Apache-2.0
"""Axis orders of arrays: (rows, columns) is a picture, (x, y, z) a volume; images are (C, x, y[, z])."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import InputError
from ..formats.affine import require_invertible
from ..formats.image_array import LPS_TO_RAS

_FEW = 4  # an axis so short may hold channels


@dataclass(frozen=True)
class AxisOrder:
    """How the axes of an image were laid out where it came from.

    Attributes:
        picture: whether it is (rows, columns); otherwise it is (x, y) or (x, y, z), as in medad.
        channel_axis: which axis holds the channels; ``None`` if there is none.
    """

    picture: bool
    channel_axis: int | None = None

    def array(self, image: Tensor) -> NDArray[Any]:
        """Lay an image ``(C, *spatial)`` out in this way; without a channel axis it gives its first channel."""
        values = image.as_subclass(Tensor).swapaxes(1, 2) if self.picture else image.as_subclass(Tensor)
        array: NDArray[Any] = values.detach().cpu().numpy()
        return np.ascontiguousarray(array[0] if self.channel_axis is None else np.moveaxis(array, 0, self.channel_axis))

    def without_channels(self) -> "AxisOrder":
        """Give the axis order of a map or mask of such an image."""
        return AxisOrder(self.picture)


def image_from_array(
    array: ArrayLike | Tensor, channel_axis: int | None = None, affine: ArrayLike | None = None
) -> tuple[MetaTensor, AxisOrder]:
    """Turn an array into the image that its file would have given.

    Two axes are a picture ``(rows, columns)``, as Pillow, scikit-image and pydicom give it. Three are a volume
    ``(x, y, z)``, as nibabel gives it. A channel axis is named, as in scikit-image. MONAI's ``MetaTensor`` is taken as
    MONAI means it: channel first, then ``(x, y[, z])``, with its affine.

    Args:
        array: NumPy array, torch tensor, ``MetaTensor``, or anything that NumPy makes an array of.
        channel_axis: which axis holds the channels; ``None`` if there is none.
        affine: 4 x 4, voxel index to RAS in mm, of a volume. Without it a volume is taken as its slices look in a
            picture: x to the patient's left, y to the back, z upwards, voxels of 1 mm.

    Returns:
        Image ``(C, *spatial)``, float32, and the axis order of the array.

    Raises:
        InputError: if the array cannot be an image, or it is not clear which axis is which.
    """
    if isinstance(array, MetaTensor):
        if channel_axis is not None or affine is not None:
            raise _refusal(
                "channel_axis or affine given with a MetaTensor", "neither", "A MetaTensor says both by itself."
            )
        return MetaTensor(array.detach().cpu().float()), AxisOrder(picture=False, channel_axis=0)
    if isinstance(array, Tensor):  # NumPy has no bfloat16
        array = array.detach().cpu().float() if array.is_floating_point() else array.detach().cpu()
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise _refusal(f"values of type {values.dtype}", "integers or real numbers", "Convert the array.")
    channels_first = _channels_first(values, channel_axis)
    picture = channels_first.ndim == 3
    if picture and affine is not None:
        raise _refusal("an affine given with a picture", "a volume (x, y, z)", "Leave affine out.")
    pixels = torch.from_numpy(np.array(channels_first.swapaxes(1, 2) if picture else channels_first, dtype=np.float32))
    return MetaTensor(pixels, affine=torch.from_numpy(_affine(affine))), AxisOrder(picture, channel_axis)


def _channels_first(values: NDArray[Any], channel_axis: int | None) -> NDArray[Any]:
    spatial = values.ndim - (channel_axis is not None)
    if spatial not in (2, 3) or (channel_axis is not None and not -values.ndim <= channel_axis < values.ndim):
        raise _refusal(
            f"shape {values.shape} with channel_axis {channel_axis}",
            "(rows, columns) or (x, y, z), and one axis more if channel_axis names it",
            "Give one image at a time.",
        )
    if channel_axis is not None:
        return np.moveaxis(values, channel_axis, 0)
    if spatial == 3 and min(values.shape[0], values.shape[-1]) <= _FEW:
        raise _refusal(
            f"shape {values.shape}, a picture with channels or a volume of few slices",
            "channel_axis where an axis is that short",
            "Set channel_axis to the axis of the channels; for a volume give array[None] with channel_axis=0.",
        )
    return values[None]


def _affine(affine: ArrayLike | None) -> NDArray[np.float64]:
    if affine is None:
        return LPS_TO_RAS.copy()
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise _refusal(
            f"an affine of shape {matrix.shape}", "an invertible 4 x 4 matrix", "Give the affine that nibabel shows."
        )
    require_invertible(matrix, "array", "affine")
    return matrix


def _refusal(what: str, expected: str, remedy: str) -> InputError:
    return InputError(what, where="array", expected=expected, remedy=remedy)
