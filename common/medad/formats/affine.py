# SPDX-License-Identifier: Apache-2.0
"""Affine matrices: one that cannot be inverted is refused."""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_SMALLEST, _LARGEST = 1e-6, 1e6  # mm
_FLAT = 1e-6


def require_invertible(affine: NDArray[np.float64], where: str, source: str) -> None:
    """Check that an affine can be inverted.

    Args:
        affine: 4 x 4.
        where: the file or series.
        source: the part of the header that it comes from.

    Raises:
        InputError: if it is singular, not finite, or gives impossible voxel sizes.
    """
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not np.all((sizes > _SMALLEST) & (sizes < _LARGEST)):
        found = f"voxel sizes of {', '.join(f'{size:.3g}' for size in sizes)} mm"
    elif abs(np.linalg.det(affine[:3, :3] / sizes)) < _FLAT:
        found = "an affine whose axes lie in one plane: it is singular"
    else:
        return
    raise InputError(
        found,
        where=where,
        expected="finite positive voxel sizes and an invertible affine",
        remedy=f"Repair the {source}.",
    )
