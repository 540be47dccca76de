# SPDX-License-Identifier: Apache-2.0
"""Draw one plane as RGB panels: input, pseudo-healthy image, anomaly map, and contours of mask and truth.

The map's color is ``colormap(clip(map / map_max, 0, 1))`` with one ``map_max`` for all cases, so colors can be compared
between cases. Only the input is windowed per case, and only for display.

A plane ``(C, x, y)`` becomes an RGB picture ``(rows, columns, 3)`` of a given shape ``(columns, rows)``.
"""

import io
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, binary_erosion

Array = npt.NDArray[Any]
RGB = npt.NDArray[np.uint8]

COLORMAP = "inferno"
"""Perceptually uniform, monotonic in lightness, readable with every color vision."""
WINDOW_PERCENTILES = (0.5, 99.5)
CONTOUR_BACKGROUND = 0.75
"""Brightness of the picture below the contours."""
MASK_COLOR = (255, 159, 28)
TRUTH_COLOR = (46, 215, 240)
DETECTION_COLOR = (255, 106, 193)
SMALLEST_RADIUS = 4.0
"""Radius in pixels of the picture below which a circle would hide what it marks."""
PANEL_TITLES = {
    "input": "Input",
    "reconstruction": "Pseudo-healthy",
    "anomaly_map": "Anomaly map",
    "contours": "Mask and truth",
}


def display_window(image: Array) -> tuple[float, float]:
    """Choose the values shown as black and as white: robust percentiles of the finite ones, always different."""
    finite = image[np.isfinite(image)].astype(np.float32)
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, WINDOW_PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def draw_image(plane: Array, window: tuple[float, float], shape: tuple[int, int]) -> RGB:
    """Draw an image in gray, or in color if it has three channels; ``window`` are the values of black and white."""
    channels = plane if plane.shape[0] == 3 else plane[:1]
    low, high = window
    shown = np.clip((np.nan_to_num(channels, nan=low) - low) / (high - low), 0, 1)
    resized = [_resize(np.float32(channel), shape) for channel in shown]
    gray = np.stack(resized if len(resized) == 3 else resized * 3, axis=-1)
    return np.rint(255 * gray).astype(np.uint8)


def draw_map(plane: Array, map_max: float, shape: tuple[int, int]) -> RGB:
    """Draw an anomaly map ``(1, x, y)`` on the fixed color scale 0..``map_max``; larger values get its last color."""
    values = np.nan_to_num(plane[0], nan=0.0, posinf=map_max, neginf=0.0).astype(np.float32)
    level = np.clip(_resize(values, shape) / map_max, 0, 1)
    drawn: RGB = color_table()[np.rint(255 * level).astype(np.intp)]
    return drawn


def draw_contours(picture: RGB, mask: Array | None, truth: Array | None) -> RGB:
    """Draw the outlines of predicted mask and truth, each ``(1, x, y)`` or ``None``, onto a dimmed picture.

    The line of the truth lies just outside of its region, that of the mask just inside, so that both stay visible
    where they agree.
    """
    drawn: RGB = (CONTOUR_BACKGROUND * picture).astype(np.uint8)
    shape = (picture.shape[1], picture.shape[0])
    width, square = max(1, round(max(shape) / 120)), np.ones((3, 3))
    if truth is not None:
        region = _resize_mask(truth[0], shape)
        drawn[binary_dilation(region, square, iterations=width) & ~region] = TRUTH_COLOR
    if mask is not None:
        region = _resize_mask(mask[0], shape)
        # what lies beyond the edge of the picture is background, so that a region is closed there
        drawn[region & ~binary_erosion(region, square, iterations=width, border_value=0)] = MASK_COLOR
    return drawn


def draw_circles(picture: RGB, circles: Array, scales: tuple[float, float], color: tuple[int, int, int]) -> RGB:
    """Draw circles ``(n, 3)``, x, y and radius in voxels, onto a picture; ``scales``: width and height of a voxel."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(image.size) / 120))
    for x, y, radius in circles:
        center = [scale * (place + 0.5) - 0.5 for scale, place in zip(scales, (x, y), strict=True)]
        reach = [max(scale * radius, SMALLEST_RADIUS) for scale in scales]
        corners = [c + sign * r for sign in (-1, 1) for c, r in zip(center, reach, strict=True)]
        draw.ellipse(corners, outline=color, width=width)
    return np.asarray(image)


@lru_cache(maxsize=1)
def color_table() -> RGB:
    """Colors ``(256, 3)`` of the anomaly map, from 0 to ``map_max``."""
    from matplotlib import colormaps  # here, so that importing medad does not import matplotlib

    table: RGB = np.rint(255 * colormaps[COLORMAP](np.arange(256))[:, :3]).astype(np.uint8)
    return table


def encode_jpeg(picture: RGB, *, quality: int = 88) -> bytes:
    """Encode a picture as JPEG without chroma subsampling, which would blur contours.

    Args:
        picture: RGB picture ``(rows, columns, 3)``.
        quality: JPEG quality, 1 to 95.

    Returns:
        The bytes of the file; they hold no metadata.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _resize(plane: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize ``(x, y)`` to a picture ``(rows, columns)``, linearly and with anti-aliasing."""
    picture = Image.fromarray(np.ascontiguousarray(plane.T))
    return np.asarray(picture.resize(shape, Image.Resampling.BILINEAR), dtype=np.float32)


def _resize_mask(plane: Array, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Resize a mask ``(x, y)`` to ``(rows, columns)``; what is smaller than a pixel of the picture stays visible."""
    picture = Image.fromarray(np.ascontiguousarray((plane > 0).T).astype(np.float32))
    shrinks = shape[0] < picture.width or shape[1] < picture.height
    coverage = np.asarray(picture.resize(shape, Image.Resampling.BOX))
    return coverage > (0.0 if shrinks else 0.5)
