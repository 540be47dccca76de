# SPDX-License-Identifier: Apache-2.0
"""Saved arrays: the numbers in the files of a case, read back as :class:`CaseSaver` had them."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray


def read_saved(stem: Path, axes: int) -> NDArray[Any] | None:
    """Read a map, mask or reconstruction of a case.

    Args:
        stem: path without suffix, ``<output_dir>/<case>/<case>_<what>``.
        axes: spatial axes of the image.

    Returns:
        Array ``(C, *spatial)``, or ``None`` if there is no such file.
    """
    volume, picture = (stem.with_name(stem.name + suffix) for suffix in (".nii.gz", ".npy"))
    if volume.is_file():
        image: Any = nibabel.load(volume)
        array: NDArray[Any] = np.asarray(image.dataobj)
    elif picture.is_file():
        array = np.load(picture).swapaxes(0, 1)
    else:
        return None
    return np.ascontiguousarray(array[None] if array.ndim == axes else np.moveaxis(array, -1, 0))
