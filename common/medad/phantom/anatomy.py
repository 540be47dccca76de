# SPDX-License-Identifier: Apache-2.0
"""Anatomy of a healthy head in 2D and 3D: scalp, skull, CSF, gray ribbon, white matter, ventricles, nuclei.

Every structure is a level set on head coordinates h = R^T (x - c + d(x)) / s, where |h| = 1 is the scalp:
x: left, y: posterior, z: superior. A 2D head is the axial section at a random height z of the same formulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fields import Array, coverage, smooth_field, smoothstep, voxel_size

WHITE_MATTER = 0.5
"""Mean intensity of white matter before gain and bias; lesion contrasts are parts of it."""

_SKULL_OUTER, _SKULL_INNER = 0.93, 0.87
_FOLD_CELLS = 15
# center and semi-axes of the deep gray nuclei on the left, in head coordinates; the right ones are their mirror images
_THALAMUS = ((0.14, 0.12, 0.02), (0.11, 0.16, 0.15))
_LENTIFORM = ((0.34, -0.05, 0.0), (0.09, 0.20, 0.16))
_CAUDATE = ((0.16, -0.30, 0.08), (0.07, 0.12, 0.14))


@dataclass(frozen=True)
class Ventricles:
    """The two lateral ventricles: banana-shaped level sets, larger or smaller, left unlike right."""

    size: float
    left_over_right: float

    def level(self, x: Array, y: Array, z: Array) -> Array:
        """Positive inside, about the distance to the wall, in head coordinates."""
        side = np.where(x > 0, self.left_over_right, 1 / self.left_over_right) * self.size
        half_width = 0.085 * side
        middle = 0.055 + 0.06 * self.size + 0.42 * y * y
        bend = (np.abs(x) - middle) / half_width
        along = (y - 0.02) / (0.36 + 0.08 * self.size)
        up = (z - 0.08 - 0.1 * along * along) / (0.16 + 0.06 * side)
        return (1 - np.sqrt(bend * bend + along * along + up * up)) * half_width


@dataclass(frozen=True)
class Head:
    """One healthy head on a voxel grid.

    Args:
        intensity: noise-free intensities ``(*spatial)``, 0 outside the head.
        inside: where the head is, bool ``(*spatial)``.
        brain: part of the voxel within the brain (gray, white, nuclei, ventricles, sulci), in [0, 1].
        coordinates: head coordinates x, y, z; in 2D z is an array of one element.
        semi_axes: of the head, in normalized image coordinates.
        ventricles: the shape of the ventricles.
    """

    intensity: Array
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    brain: Array
    coordinates: tuple[Array, Array, Array]
    semi_axes: tuple[float, float, float]
    ventricles: Ventricles


def draw_head(generator: np.random.Generator, axes: Sequence[Array]) -> Head:
    """Draw the head of one subject.

    Args:
        generator: source of all randomness.
        axes: coordinates of the grid (`normalized_axes`), two or three.

    Returns:
        The head.
    """
    # scalars first, so that they do not depend on the grid or on the number of dimensions
    aspect = generator.uniform(0.95, 1.05)
    size = generator.uniform(0.93, 1.03)
    semi_axes = (0.74 * size / aspect, 0.88 * size * aspect, 0.84 * size)
    angles = np.deg2rad(generator.uniform(-1, 1, 3) * (8, 4, 4))
    center = generator.uniform(-0.035, 0.035, 3)
    height = generator.uniform(-0.1, 0.25)
    egg = generator.uniform(0.02, 0.10)
    cortex = generator.uniform(0.81, 0.85)
    ventricles = Ventricles(generator.uniform(0.70, 1.35), generator.uniform(0.85, 1.18))
    ribbon, sulcus = generator.uniform(0.052, 0.066), generator.uniform(0.012, 0.024)
    nuclei = generator.uniform(0.85, 1.12, 3)
    tissue = _draw_tissue_intensities(generator)

    pixel = voxel_size(axes)
    x, y, z = _head_coordinates(generator, axes, semi_axes, angles, center, height)
    x = x * (1 - egg * y)  # the back of the head is the broader one
    radius = np.sqrt(x * x + y * y + z * z)
    edge = 0.004 + 0.5 * pixel

    brain = coverage(cortex - radius, edge)
    fold = np.minimum(_distance_to_folds(generator, axes, pixel), np.abs(x) * semi_axes[0])
    gray = np.maximum(
        coverage(radius - (cortex - 0.05), edge), _around(fold, ribbon, smoothstep(radius, 0.40, 0.72), edge)
    )
    fluid = _around(fold, sulcus, smoothstep(radius, 0.46, 0.85), edge)
    mirrored = np.abs(x)
    for (position, extent), scale in zip((_THALAMUS, _LENTIFORM, _CAUDATE), nuclei, strict=True):
        gray = np.maximum(gray, 0.9 * coverage(_ellipsoid((mirrored, y, z), position, extent, scale), 1.5 * edge))
    fluid = np.maximum(fluid, coverage(ventricles.level(x, y, z), edge))

    value = tissue["scalp"] * coverage(1 - radius, edge)
    value = _blend(value, tissue["skull"], coverage(_SKULL_OUTER - radius, edge))
    marrow = coverage(0.012 - np.abs(radius - (_SKULL_OUTER + _SKULL_INNER) / 2), edge)
    value = _blend(value, tissue["marrow"], marrow)
    value = _blend(value, tissue["fluid"], coverage(_SKULL_INNER - radius, edge))
    value = _blend(value, _blend(_blend(tissue["white"], tissue["gray"], gray), tissue["fluid"], fluid), brain)
    return Head(value, radius < 1 + edge, brain, (x, y, z), semi_axes, ventricles)


def _draw_tissue_intensities(generator: np.random.Generator) -> dict[str, float]:
    """FLAIR-like: fluid dark, gray brighter than white, fat of the scalp bright."""
    means = {"scalp": 0.86, "skull": 0.10, "marrow": 0.36, "fluid": 0.14, "gray": 0.66, "white": WHITE_MATTER}
    spread = {"scalp": 0.06, "skull": 0.02, "marrow": 0.08, "fluid": 0.03, "gray": 0.03, "white": 0.025}
    return {name: mean + spread[name] * generator.uniform(-1, 1) for name, mean in means.items()}


def _head_coordinates(
    generator: np.random.Generator,
    axes: Sequence[Array],
    semi_axes: tuple[float, float, float],
    angles: Array,
    center: Array,
    height: float,
) -> tuple[Array, Array, Array]:
    """Rotate, shift, deform and scale the image coordinates; a 2D grid lies at one height and is not tilted."""
    shifted = [
        axis - offset + 0.028 * smooth_field(generator, axes, 3) for axis, offset in zip(axes, center, strict=False)
    ]
    planes = [(0, 1)] if len(axes) == 2 else [(0, 1), (1, 2), (0, 2)]
    for (a, b), angle in zip(planes, angles, strict=False):
        cos, sin = np.cos(angle), np.sin(angle)
        shifted[a], shifted[b] = cos * shifted[a] + sin * shifted[b], cos * shifted[b] - sin * shifted[a]
    third = shifted[2] / semi_axes[2] if len(axes) == 3 else np.full((1, 1), height)
    return shifted[0] / semi_axes[0], shifted[1] / semi_axes[1], third


def _distance_to_folds(generator: np.random.Generator, axes: Sequence[Array], pixel: float) -> Array:
    """Distance to the sulci, which are the zero set of a random field: |f| / |grad f|."""
    field = smooth_field(generator, axes, _FOLD_CELLS)
    gradient = np.gradient(field, pixel)
    slope = np.sqrt(sum((g * g for g in gradient), np.zeros_like(field)))
    return np.abs(field) / (slope + 3.0)


def _around(distance: Array, half_width: float, depth: Array, edge: float) -> Array:
    """Coverage of a sheet around the folds that grows thinner with depth (1 at the surface, 0 where there is none)."""
    return coverage(half_width * depth - distance, edge) * np.minimum(4 * depth, 1)


def _ellipsoid(
    point: tuple[Array, Array, Array],
    center: tuple[float, float, float],
    extent: tuple[float, float, float],
    scale: float,
) -> Array:
    """Level of an ellipsoid, positive inside, in head coordinates at its smallest semi-axis."""
    squares = [((p - c) / (e * scale)) ** 2 for p, c, e in zip(point, center, extent, strict=True)]
    return (1 - np.sqrt(squares[0] + squares[1] + squares[2])) * min(extent)


def _blend(under: Array | float, over: Array | float, weight: Array) -> Array:
    """Lay ``over`` on ``under`` where ``weight`` is 1."""
    return np.asarray(under + (over - under) * weight)
