# SPDX-License-Identifier: Apache-2.0
"""Affine matrices: what can be inverted, how much one is sheared, how far two put voxels apart."""

from collections.abc import Sequence
from itertools import product

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


def distance_between(first: NDArray[np.float64], second: NDArray[np.float64], shape: Sequence[int]) -> float:
    """Measure how far apart two affines put the same voxel, at most.

    Args:
        first: 4 x 4.
        second: 4 x 4.
        shape: of the image, two or three axes.

    Returns:
        The distance, in mm where the affines are.
    """
    ends = [(0, size - 1) for size in (*shape, 1)[:3]]
    corners = np.array([(*corner, 1) for corner in product(*ends)], dtype=np.float64).T
    return float(np.linalg.norm(((first - second) @ corners)[:3], axis=0).max())


def shear_of(affine: NDArray[np.float64], shape: Sequence[int]) -> float:
    """Measure how far the end of an axis is from where it would be at right angles to the others, at most.

    Args:
        affine: 4 x 4, invertible.
        shape: of the image, two or three axes.

    Returns:
        The distance, in mm where the affine is.
    """
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / sizes
    cosines = np.abs(directions.T @ directions - np.eye(3))
    return float((cosines * (np.array((*shape, 1)[:3]) - 1) * sizes).max())
