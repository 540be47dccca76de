# SPDX-License-Identifier: Apache-2.0
"""Lesions: brighter, darker, a mass that displaces the anatomy, and a change of texture.

A lesion is a soft set m(h) = ramp(1 + e f(h) - |h - c| / r) in the head; it changes the noise-free intensity v to

hyperintense, hypointense: v + m k w;   texture: v + m k w (t - mean_m t) / std_m t;
mass effect: (1 - m) v(x - u(x)) + m (1.12 w +- k w),  u: displacement away from c;   w: white matter, k: contrast
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from monai.utils.enums import StrEnum
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from .anatomy import WHITE_MATTER, Head
from .fields import Array, smooth_field, smoothstep, voxel_size


class LesionKind(StrEnum):
    """What a lesion does to the image."""

    HYPERINTENSE = "hyperintense"
    HYPOINTENSE = "hypointense"
    MASS_EFFECT = "mass_effect"
    TEXTURE = "texture"


_RADIUS = {2: (0.12, 0.20), 3: (0.20, 0.30)}
"""Mean radius by spatial dims; 2 is the field of view, so 6 to 10 % of it in 2D. Volumes have larger voxels."""

_CONTRAST = {
    LesionKind.HYPERINTENSE: (0.38, 0.5),
    LesionKind.HYPOINTENSE: (0.38, 0.5),
    LesionKind.MASS_EFFECT: (0.34, 0.45),
    LesionKind.TEXTURE: (0.38, 0.50),
}
"""Part of the white-matter intensity; of a texture its standard deviation."""

_TEXTURE_CELLS = {2: (16, 23), 3: (9, 14)}

_MAX_CENTER = 0.58  # of the head radius: the lesion stays mostly within the brain


@dataclass(frozen=True)
class _Shape:
    """Where a lesion is on the grid."""

    membership: Array
    distance: Array
    offset: tuple[Array, ...]


def add_lesion(
    generator: np.random.Generator, head: Head, axes: Sequence[Array], kind: LesionKind
) -> tuple[Array, NDArray[np.bool_]]:
    """Draw a lesion of a kind and put it into a head.

    Args:
        generator: source of all randomness.
        head: healthy head (`anatomy.draw_head`).
        axes: coordinates of the grid the head was drawn on.
        kind: what the lesion does.

    Returns:
        Noise-free intensities with the lesion, and its mask (membership of at least one half), both ``(*spatial)``.
        The mask of a mass is the mass itself, without the healthy tissue it displaces.
    """
    dims = len(axes)
    shape = _draw_shape(generator, head, axes)
    contrast = generator.uniform(*_CONTRAST[kind]) * WHITE_MATTER
    value, membership = head.intensity, shape.membership
    if kind is LesionKind.HYPERINTENSE:
        value = value + membership * contrast
    elif kind is LesionKind.HYPOINTENSE:
        value = np.maximum(value - membership * contrast, 0.5 * value)
    elif kind is LesionKind.TEXTURE:
        texture = smooth_field(generator, axes, int(generator.integers(*_TEXTURE_CELLS[dims])))
        value = value + membership * contrast * _standardized(texture, membership)
    else:
        sign = generator.choice([-1, 1])
        tissue = 1.12 * WHITE_MATTER  # between white and gray
        value = _displace(value, head, shape, float(generator.uniform(0.5, 0.8)), axes)
        value = value + membership * (tissue + sign * contrast - value)
    return np.maximum(value, 0), membership >= 0.5


def _standardized(values: Array, weight: Array) -> Array:
    """Mean 0 and variance 1 under the weight: the lesion changes neither the mean nor, by chance, too little."""
    centered: Array = values - np.average(values, weights=weight)
    return centered / np.sqrt(np.average(centered**2, weights=weight) + 0.01)


def _draw_shape(generator: np.random.Generator, head: Head, axes: Sequence[Array]) -> _Shape:
    dims = len(axes)
    height = float(head.coordinates[2].ravel()[0])
    center = _draw_center(generator, head, dims, height)
    # the lower bound lets at least one voxel center lie inside, whatever the stretch and the boundary
    radius = max(generator.uniform(*_RADIUS[dims]), 1.75 * voxel_size(axes))
    stretch = np.exp(generator.uniform(-0.25, 0.25, 3))[:dims]
    offset = tuple((h - c) * s for h, c, s in zip(head.coordinates, center, head.semi_axes, strict=True))[:dims]
    squares = sum(((o * e) ** 2 for o, e in zip(offset, stretch, strict=True)), np.zeros(head.intensity.shape))
    distance = np.sqrt(squares) / radius
    irregular = 0.16 * np.clip(smooth_field(generator, axes, 12 if dims == 2 else 8), -2, 2)
    softness = generator.uniform(0.10, 0.25)
    membership = np.clip(0.5 + (1 + irregular - distance) / (2 * softness), 0, 1) * head.brain
    return _Shape(membership, distance, offset)


def _draw_center(generator: np.random.Generator, head: Head, dims: int, height: float) -> Array:
    """Uniform in the inner brain outside the ventricles; one of the many candidates drawn at once is taken."""
    candidates = generator.uniform(-_MAX_CENTER, _MAX_CENTER, (256, 3))
    if dims == 2:
        candidates[:, 2] = height
    fits = np.linalg.norm(candidates, axis=1) < _MAX_CENTER
    fits &= head.ventricles.level(*candidates.T) < 0
    center: Array = candidates[int(np.argmax(fits))]
    return center


def _displace(value: Array, head: Head, shape: _Shape, strength: float, axes: Sequence[Array]) -> Array:
    """Push the anatomy away from the mass: every voxel shows what lay nearer to the center before."""
    x, y, z = head.coordinates
    within = smoothstep(np.sqrt(x * x + y * y + z * z), 0.84, 0.5)  # falls gently: the skull stays where it is
    pull = strength * np.exp(-((shape.distance / 1.8) ** 2)) * within
    voxel = voxel_size(axes)
    index = np.indices(value.shape, dtype=float)
    moved = np.stack([i - pull * o / voxel for i, o in zip(index, shape.offset, strict=True)])
    return np.asarray(map_coordinates(value, moved, order=1, mode="nearest"))
