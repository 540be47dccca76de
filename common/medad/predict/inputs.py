# SPDX-License-Identifier: Apache-2.0
"""Input of the detector: one image (path, paths or array) becomes one item of a data list."""

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..configuration import PathLike
from ..errors import InputError
from ..files import user_path
from ..formats import has_geometry, stem_of
from ..keys import Keys
from .arrays import AxisOrder, image_from_array

Image: TypeAlias = PathLike | Sequence[PathLike] | NDArray[Any] | Tensor
"""A file or folder of a DICOM series, one path per channel, or an array."""


def item_of_image(
    image: Image, channel_axis: int | None = None, affine: ArrayLike | None = None
) -> tuple[dict[str, Any], AxisOrder | None]:
    """Make an item that the preprocessing of a bundle takes.

    Args:
        image: a path, a list with one path per channel, a NumPy array or a torch tensor.
        channel_axis: of an array; see :func:`image_from_array`.
        affine: of an array; see :func:`image_from_array`.

    Returns:
        ``{"image", "case"}``, and the axis order of an array; that of a file is known when it is loaded.

    Raises:
        InputError: if it is none of these, or the array cannot be an image.
    """
    if isinstance(image, (np.ndarray, Tensor)):
        tensor, order = image_from_array(image, channel_axis, affine)
        return {Keys.IMAGE: tensor, Keys.CASE: "array"}, order
    given = image if isinstance(image, (list, tuple)) else [image]
    paths = [str(user_path(path)) for path in given if isinstance(path, (str, os.PathLike))]
    if not paths or len(paths) < len(given):
        raise InputError(
            f"{type(image).__name__} found",
            where="image",
            expected="a path, a list with one path per channel, a NumPy array or a torch tensor",
            remedy="Give one image to the detector, or several to its method map.",
        )
    if channel_axis is not None or affine is not None:
        raise InputError(
            "channel_axis or affine given with a file",
            where=paths[0],
            expected="neither",
            remedy="The file says both by itself.",
        )
    return {Keys.IMAGE: paths if len(paths) > 1 else paths[0], Keys.CASE: stem_of(paths[0])}, None


def axis_order_of_file(path: str | Sequence[str], image: Tensor) -> AxisOrder:
    """Say how the results of a file are laid out: as the files are that inference writes.

    Args:
        path: path, or one path per channel.
        image: the loaded image ``(C, *spatial)``.

    Returns:
        (rows, columns) for a 2D image of a format without geometry; several channels last.
    """
    first = path if isinstance(path, str) else path[0]
    return AxisOrder(image.ndim == 3 and not has_geometry(first), channel_axis=-1 if image.shape[0] > 1 else None)
