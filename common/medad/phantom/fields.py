# SPDX-License-Identifier: Apache-2.0
"""Smooth random fields on normalized coordinates: bias, deformation, cortical folding, lesion texture.

f(x) = sum_k c_k prod_a b_k(x_a),  c_k ~ N(0, 1),  b: cubic B-splines scaled so that Var f(x) = 1 everywhere

A field is a continuous function that does not depend on the voxel grid: the same coefficients sampled on a finer grid
show the same field.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def normalized_axes(image_size: Sequence[int]) -> tuple[Array, ...]:
    """Coordinates of the voxel centers; the shortest axis spans [-1, 1], the voxels are isotropic.

    Args:
        image_size: voxels per axis.

    Returns:
        One array per axis, shaped to broadcast against the others: ``(X, 1)`` and ``(1, Y)`` in 2D.
    """
    half = min(image_size) / 2
    lines: list[Array] = [(np.arange(size, dtype=np.float64) - (size - 1) / 2) / half for size in image_size]
    return tuple(np.meshgrid(*lines, indexing="ij", sparse=True))


def voxel_size(axes: Sequence[Array]) -> float:
    """Distance of neighboring voxel centers in normalized coordinates.

    Args:
        axes: coordinates per axis as of `normalized_axes`.

    Returns:
        The distance, the same along all axes.
    """
    first = axes[0].ravel()
    return float(first[1] - first[0])


def smooth_field(generator: np.random.Generator, axes: Sequence[Array], cells: int) -> Array:
    """Draw a Gaussian field of mean 0 and variance 1.

    Args:
        generator: source of the coefficients; one draw of ``(cells + 3) ** len(axes)`` numbers.
        axes: coordinates per axis as of `normalized_axes`; beyond [-1, 1] the border value is repeated.
        cells: spline cells between -1 and 1; the correlation length is about ``2 / cells``.

    Returns:
        Field on the grid of ``axes``.
    """
    field = generator.standard_normal((cells + 3,) * len(axes))
    for axis in axes:
        # contracts the first axis and appends the grid axis at the end: after all axes the order is the old one
        field = np.tensordot(field, spline_basis(axis.ravel(), cells), axes=(0, 1))
    return field


def spline_basis(points: Array, cells: int) -> Array:
    """Uniform cubic B-splines on [-1, 1], each row scaled to unit Euclidean norm.

    Args:
        points: coordinates ``(N,)``, clipped to [-1, 1].
        cells: number of spline cells.

    Returns:
        Matrix ``(N, cells + 3)``.
    """
    position = (np.clip(points, -1, 1) + 1) / 2 * cells
    distance = np.abs(position[:, None] - np.arange(-1, cells + 2)[None, :])
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.maximum(2 - distance, 0) ** 3 / 6
    basis = np.where(distance < 1, inner, outer)
    norm: Array = np.linalg.norm(basis, axis=1, keepdims=True)
    return basis / norm


def coverage(level: Array, width: float) -> Array:
    """Part of a voxel that lies inside {level > 0}: a ramp from 0 at -width to 1 at +width.

    Args:
        level: signed distance to the boundary, positive inside.
        width: half the width of the transition, in the unit of ``level``.

    Returns:
        Array in [0, 1].
    """
    return np.clip(0.5 + level / (2 * width), 0, 1)


def smoothstep(values: Array, low: float, high: float) -> Array:
    """Cubic step 3 t^2 - 2 t^3 from 0 at ``low`` to 1 at ``high``.

    Args:
        values: where to evaluate.
        low: where the step begins.
        high: where it ends; ``low > high`` gives a falling step.

    Returns:
        Array in [0, 1].
    """
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
