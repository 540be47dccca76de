# SPDX-License-Identifier: Apache-2.0
"""Draw one case as RGB panels: input, pseudo-healthy image, anomaly map, and contours of mask and truth.

The map's color is ``colormap(clip(map / map_max, 0, 1))`` with one ``map_max`` for all cases, so colors can be compared
between cases. Only the input is windowed per case, and only for display.

A plane ``(C, x, y)`` becomes an RGB picture ``(rows, columns, 3)`` of a given shape ``(columns, rows)``.
"""

import io
from dataclasses import dataclass
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


@dataclass(frozen=True)
class CasePanels:
    """The drawn panels of one case.

    Args:
        images: panel name (a key of ``PANEL_TITLES``, in that order) to RGB picture ``(rows, columns, 3)`` uint8.
        slice_index: shown slice of a volume along its last axis, counted from 0; ``None`` for a 2D image.
        slice_count: number of slices of the volume; ``None`` for a 2D image.
    """

    images: dict[str, RGB]
    slice_index: int | None = None
    slice_count: int | None = None


def draw_case(
    image: Any,
    anomaly_map: Any,
    *,
    map_max: float,
    reconstruction: Any = None,
    mask: Any = None,
    truth: Any = None,
    circles: Any = None,
    detections: Any = None,
    size: int = 192,
) -> CasePanels:
    """Draw the panels of one case.

    The arrays are indexed ``[channel, x, y]`` or ``[channel, x, y, z]`` with x = columns and y = rows of the picture;
    an LPS volume is then seen in the radiological convention (the patient's left is on the right). All arrays show the
    same field of view. Their in-plane sizes may differ (every picture takes the shape of the map); the number of slices
    may not.

    Args:
        image: input ``(C, *spatial)``; 3 channels are shown as colors, of any other number the first is shown.
        anomaly_map: ``(1, *spatial)``, at least 0.
        map_max: map value of the brightest color, the same for all cases; greater than 0.
        reconstruction: pseudo-healthy image ``(C, *spatial)``, shown in the window of the input.
        mask: predicted mask ``(1, *spatial)``, 0/1.
        truth: true mask ``(1, *spatial)``, 0/1.
        circles: true lesions as circles or balls ``(n, axes + 1)``: center and radius in voxels of the map.
        detections: what was found, in the same form.
        size: longer side of a panel in pixels.

    Returns:
        The panels, without ``"reconstruction"`` if there is none, and without ``"contours"`` if there is nothing to
        outline.

    Raises:
        ValueError: if ``map_max`` or ``size`` is not positive, or the arrays do not fit each other.
    """
    if not map_max > 0:
        raise ValueError(f"map_max must be greater than 0, got {map_max}.")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}.")
    volume_map = _channel_first("anomaly_map", anomaly_map)
    arrays = {
        name: _channel_first(name, value, like=volume_map)
        for name, value in (("image", image), ("reconstruction", reconstruction), ("mask", mask), ("truth", truth))
        if value is not None
    }
    rounds = {
        name: _circles(name, value, volume_map.ndim)
        for name, value in (("circles", circles), ("detections", detections))
        if value is not None
    }
    index = choose_slice(volume_map, arrays.get("mask"), arrays.get("truth"), rounds.get("circles"))
    window = display_window(arrays["image"])
    shape = _fit(volume_map.shape[1:3], size)

    planes = {name: array if index is None else array[..., index] for name, array in arrays.items()}
    map_plane = volume_map if index is None else volume_map[..., index]
    images = {"input": draw_image(planes["image"], window, shape)}
    if "reconstruction" in planes:
        images["reconstruction"] = draw_image(planes["reconstruction"], window, shape)
    images["anomaly_map"] = draw_map(map_plane, map_max, shape)
    if rounds or "mask" in planes or "truth" in planes:
        picture = draw_contours(images["input"], planes.get("mask"), planes.get("truth"))
        scale = shape[0] / map_plane.shape[1]
        for name, color in (("circles", TRUTH_COLOR), ("detections", DETECTION_COLOR)):
            if name in rounds:
                picture = draw_circles(picture, _cut(rounds[name], index), scale, color)
        images["contours"] = picture
    return CasePanels(images, index, None if index is None else volume_map.shape[-1])


def choose_slice(
    anomaly_map: Array, mask: Array | None = None, truth: Array | None = None, circles: Array | None = None
) -> int | None:
    """Choose the slice of a volume to show: most truth, else most predicted mask, else the largest summed map.

    Args:
        anomaly_map: ``(1, *spatial)``.
        mask: predicted mask ``(1, *spatial)``; used where ``truth`` is missing or empty.
        truth: true mask ``(1, *spatial)``; used first, so that a missed lesion is seen.
        circles: true balls ``(n, 4)``; where there is no true mask the center of the largest is shown.

    Returns:
        Index along the last axis, or ``None`` for a 2D image. The first of equal slices is taken.
    """
    if anomaly_map.ndim == 3:
        return None
    if truth is not None and np.any(truth):
        return _fullest_slice(truth > 0)
    if circles is not None and len(circles):
        middle = circles[np.argmax(circles[:, -1]), 2]
        return int(np.clip(np.rint(middle), 0, anomaly_map.shape[3] - 1))
    if mask is not None and np.any(mask):
        return _fullest_slice(mask > 0)
    return _fullest_slice(np.nan_to_num(anomaly_map))


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


def draw_circles(picture: RGB, circles: Array, scale: float, color: tuple[int, int, int]) -> RGB:
    """Draw circles ``(n, 3)``, x, y and radius in voxels of ``scale`` pixels, onto a picture."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    width = max(1, round(max(image.size) / 120))
    for x, y, radius in circles:
        center, reach = (scale * (x + 0.5) - 0.5, scale * (y + 0.5) - 0.5), max(scale * radius, SMALLEST_RADIUS)
        draw.ellipse([*(c - reach for c in center), *(c + reach for c in center)], outline=color, width=width)
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


def _array(value: Any) -> Array:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _channel_first(name: str, value: Any, like: Array | None = None) -> Array:
    """Take a tensor or array ``(C, *spatial)`` as an array, and check it against the map."""
    array = _array(value)
    if array.ndim not in (3, 4) or array.size == 0:
        raise ValueError(f"{name} must be (C, x, y) or (C, x, y, z) and not empty, got shape {array.shape}.")
    if like is not None and (array.ndim != like.ndim or array.shape[3:] != like.shape[3:]):
        raise ValueError(
            f"{name} of shape {array.shape} does not fit the anomaly map of shape {like.shape}: "
            "the number of axes and of slices must agree."
        )
    return array


def _circles(name: str, value: Any, columns: int) -> npt.NDArray[np.float64]:
    """Take circles or balls ``(n, axes + 1)`` as an array, and check it against the axes of the map."""
    array = _array(value).astype(np.float64)
    if array.size and (array.ndim != 2 or array.shape[1] != columns):
        raise ValueError(f"{name} must be (n, {columns}): center and radius in voxels, got shape {array.shape}.")
    return array.reshape(-1, columns)


def _fullest_slice(volume: Array) -> int:
    return int(np.argmax(volume.sum(axis=(0, 1, 2), dtype=np.float64)))


def _cut(circles: npt.NDArray[np.float64], index: int | None) -> npt.NDArray[np.float64]:
    """Circles as they are, or those in which a slice cuts balls: ``(n, 3)``."""
    if index is None:
        return circles
    depth, radius = np.abs(circles[:, 2] - index), circles[:, 3]
    met = depth <= np.maximum(radius, 0.5)  # half a slice: a ball that lies between two is seen in one
    inside = np.sqrt(np.maximum(radius[met] ** 2 - depth[met] ** 2, 0))
    return np.column_stack([circles[met, :2], inside])


def _fit(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Scale ``(columns, rows)`` so that the longer side is ``size``."""
    columns, rows = shape
    scale = size / max(columns, rows)
    return max(1, round(columns * scale)), max(1, round(rows * scale))


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
