# SPDX-License-Identifier: Apache-2.0
"""One subject of the phantom population: the healthy image, or the same image with a lesion.

The streams of anatomy, scan and lesion all descend from (seed, index), so a subject is the same alone, in any order
and on any process; the healthy and the abnormal image of one (seed, index) show the same head in the same scan.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..checks import check_at_least, check_sizes, check_spatial_dims
from .acquisition import acquire
from .anatomy import draw_head
from .fields import normalized_axes
from .lesions import LesionKind, add_lesion

PHANTOM_VERSION = 1
"""Rises with every change of what a (seed, index) looks like; written into each data list."""

_MIN_SIZE = 16


def healthy_phantom(
    seed: int, index: int, spatial_dims: int = 2, image_size: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Draw the healthy image of one subject.

    Args:
        seed: of the population, at least 0.
        index: of the subject, at least 0.
        spatial_dims: 2 (axial section) or 3.
        image_size: voxels per axis, at least 16; by default 128 x 128 or 48 x 48 x 48.

    Returns:
        Image ``(X, Y)`` or ``(X, Y, Z)``: x to the left, y to posterior, z to superior; white matter about 0.5, exactly
        0 outside the head.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> healthy_phantom(seed=0, index=7, spatial_dims=2, image_size=(64, 64)).shape
        (64, 64)
    """
    axes = normalized_axes(check_image_size(spatial_dims, image_size))
    anatomy, scan, _ = _streams(seed, index)
    head = draw_head(anatomy, axes)
    return acquire(scan, head.intensity, head.inside, axes)


def abnormal_phantom(
    seed: int,
    index: int,
    spatial_dims: int = 2,
    image_size: Sequence[int] | None = None,
    kind: str | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], str]:
    """Draw the image of one subject with one lesion; `healthy_phantom` of the same arguments is its healthy twin.

    Args:
        seed: of the population, at least 0.
        index: of the subject, at least 0.
        spatial_dims: 2 (axial section) or 3.
        image_size: voxels per axis, at least 16; by default 128 x 128 or 48 x 48 x 48.
        kind: one of `LesionKind`; drawn by default.

    Returns:
        Image as of `healthy_phantom`, mask (0/1) of the same shape, and the kind of the lesion.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> image, mask, kind = abnormal_phantom(seed=0, index=7, image_size=(64, 64), kind="texture")
        >>> image.shape == mask.shape, kind
        (True, 'texture')
    """
    axes = normalized_axes(check_image_size(spatial_dims, image_size))
    anatomy, scan, lesion = _streams(seed, index)
    kinds = list(LesionKind)
    drawn = kinds[int(lesion.integers(len(kinds)))]
    if kind is not None and kind not in kinds:
        raise ValueError(f"kind is {kind!r}, expected one of {[str(k.value) for k in kinds]}")
    chosen = drawn if kind is None else LesionKind(kind)
    head = draw_head(anatomy, axes)
    intensity, mask = add_lesion(lesion, head, axes, chosen)
    return acquire(scan, intensity, head.inside, axes), mask.astype(np.uint8), str(chosen.value)


def check_image_size(spatial_dims: int, image_size: Sequence[int] | None) -> tuple[int, ...]:
    """Fill in the default size and refuse what cannot be drawn.

    Args:
        spatial_dims: 2 or 3.
        image_size: voxels per axis or ``None``.

    Returns:
        The image size.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_spatial_dims(spatial_dims)
    size = tuple(image_size) if image_size is not None else ((128, 128) if spatial_dims == 2 else (48, 48, 48))
    check_sizes(spatial_dims, image_size=size)
    check_at_least(_MIN_SIZE, image_size=min(size))
    return size


def _streams(seed: int, index: int) -> tuple[np.random.Generator, ...]:
    """Independent generators of anatomy, scan and lesion."""
    check_at_least(0, seed=seed, index=index)
    children = np.random.SeedSequence([seed, index]).spawn(3)
    return tuple(np.random.Generator(np.random.PCG64(child)) for child in children)
