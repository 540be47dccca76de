# SPDX-License-Identifier: Apache-2.0
"""Padding: voxels that were never measured, such as the corners around the field of view of a CT, become background.

Whether a value that stands for padding is a sentinel (-2000 beside air of -1000) or simply the background (air itself,
declared as padding) shows at the rim: around a field of view lies air, around an object its surface. A value that lies
far from all others is a sentinel in any case: a small field of view has tissue at its rim.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..morphology import neighborhood

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LOW, _HIGH = 0.01, 0.99
_DARK = 0.1  # part of the robust range, as in the foreground mask
_SHARE = 0.01  # of the image; fewer odd voxels do not move its robust ends
_GAP, _FAR, _CLEARLY = 0.5, 2.0, 0.05  # of the robust range
_MOST_OF_BORDER, _OF_CORNERS = 0.5, 0.5
_MOST = 3


def fill_padding(values: Values, padding: Mask, spatial_dims: int) -> Values:
    """Give padding that a header declares the value of the background.

    It stays where it is the background: darker than what is measured, by no more than twice its range, and around an
    object whose rim is not dark.

    Args:
        values: ``(*spatial)``.
        padding: of the same shape, true where nothing was measured.
        spatial_dims: 2 or 3; with 2, a volume is a stack of slices along its last axis.

    Returns:
        Array of the same shape; the low end of the measured values in the padding.
    """
    measured, declared = values[~padding], values[padding]
    if not measured.size or not declared.size:
        return values
    low, high = _ends(measured)
    is_near = low - _FAR * (high - low) <= declared.min() and declared.max() <= low
    if is_near and not _rim_is_dark(values, padding, low + _DARK * (high - low), spatial_dims):
        return values
    return np.where(padding, low, values)


def without_padding(values: Values) -> Values:
    """Give padding that no header declares the value of the background: the low end of the rest.

    A value far from all others is known by five signs: at least 1 % of the voxels have it, and it is the lowest or
    highest of all; no other value is nearer to it than half the robust range of the rest; if it is the highest, at
    least half of the corners of the image have it, as no metal and no lesion does; the rest reaches both ends of the
    image along all axes but one at most, as a field of view does; and its rim is dark, or the value lies twice the
    range away. Zero, which most programs write where there is nothing, is left as the low end that it is.

    A value amid all others, such as the 0 around a brain whose values have mean 0, is known by two: more than half of
    the voxels at the border of the image have it, and at least 1 % of all are darker, and 1 % brighter, by a twentieth
    of the range.

    Args:
        values: ``(*spatial)``.

    Returns:
        Array of the same shape, the same one where there is no padding.
    """
    for _ in range(_MOST):
        found = [odd for odd in (values.min(), values.max()) if odd != 0 and _is_padding(values, odd)]
        if not found:
            break
        values = _filled(values, found[0])
    amid = _amid(values)
    return values if amid is None else _filled(values, amid)


def _filled(values: Values, odd: np.float32) -> Values:
    padding = values == odd
    return np.where(padding, _ends(values[~padding])[0], values)


def _amid(values: Values) -> np.float32 | None:
    """Find a value that surrounds the object and is neither its darkest nor its brightest."""
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    border = np.concatenate([values.take((0, -1), axis).ravel() for axis in axes] or [values.ravel()])
    value = np.float32(np.median(border))
    if (border == value).mean() <= _MOST_OF_BORDER or (values < value).mean() < _SHARE:
        return None
    low, high = _ends(values[values != value])
    apart = _CLEARLY * (high - low)
    shares = (values < value - apart).mean(), (values > value + apart).mean()
    return value if min(shares) >= _SHARE else None


def _is_padding(values: Values, odd: np.float32) -> bool:
    padding = values == odd
    if not _SHARE <= padding.mean() < 1:
        return False
    rest = values[~padding]
    if odd > rest.max() and _corners(padding).mean() < _OF_CORNERS:
        return False
    low, high = _ends(rest)
    gap = max(rest.min() - odd, odd - rest.max())
    if low == high or gap < _GAP * (high - low) or _axes_reached(~padding) < values.ndim - 1:
        return False
    return bool(gap >= _FAR * (high - low)) or _rim_is_dark(values, padding, low + _DARK * (high - low), values.ndim)


def _ends(values: Values) -> tuple[np.float32, np.float32]:
    low, high = np.quantile(values, (_LOW, _HIGH), method="nearest")
    return low, high


def _rim_is_dark(values: Values, padding: Mask, dark: float, spatial_dims: int) -> bool:
    """Say whether most of the voxels that touch padding are dark."""
    touching = ndimage.binary_dilation(padding, neighborhood(padding.ndim, spatial_dims)) & ~padding
    return bool(touching.any() and np.median(values[touching]) <= dark)


def _corners(inside: Mask) -> Mask:
    ends = [(0, size - 1) for size in inside.shape]
    return inside[np.ix_(*ends)]


def _axes_reached(inside: Mask) -> int:
    """Count the axes along which a mask reaches both ends of the image; an inscribed circle may miss them by little."""
    reached = 0
    for axis, size in enumerate(inside.shape):
        lines = np.flatnonzero(inside.any(axis=tuple(other for other in range(inside.ndim) if other != axis)))
        margin = 1 + size // 50
        reached += bool(lines[0] <= margin and lines[-1] >= size - 1 - margin)
    return reached
