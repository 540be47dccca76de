# SPDX-License-Identifier: Apache-2.0
"""Draw one case: of each of its views the input, pseudo-healthy image, anomaly map, and contours of mask and truth.

All views of a case have one scale, in which a voxel is as large as its file says. Where the file says how its axes lie
in the body, letters at the edges say what lies where.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..planes import PLANE_NAMES
from .letters import add_letters, margin_of
from .panels import (
    DETECTION_COLOR,
    RGB,
    TRUTH_COLOR,
    Array,
    display_window,
    draw_circles,
    draw_contours,
    draw_image,
    draw_map,
)
from .places import Evidence
from .turn import Points
from .views import View, choose_views

LIKE_A_PICTURE: npt.NDArray[np.float64] = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Affine of an image that nothing is known of: its columns run to the patient's left, its rows to the back."""


@dataclass(frozen=True)
class ViewPictures:
    """The pictures of one view of a case.

    Attributes:
        images: panel name (a key of ``PANEL_TITLES``, in that order) to RGB picture ``(rows, columns, 3)`` uint8.
        plane: axial, coronal or sagittal; empty where the file does not say how its axes lie.
        slice_index: which slice of the file, along the axis across the picture and counted from 0; ``None`` where there
            is only one.
        slice_count: how many there are.
    """

    images: dict[str, RGB]
    plane: str = ""
    slice_index: int | None = None
    slice_count: int | None = None


def draw_case(
    image: Any,
    anomaly_map: Any,
    *,
    map_max: float,
    affine: Any = None,
    oriented: bool = False,
    by_slices: bool = False,
    slice_plane: str = "axial",
    reconstruction: Any = None,
    mask: Any = None,
    truth: Any = None,
    circles: Any = None,
    detections: Any = None,
    size: int = 192,
) -> list[ViewPictures]:
    """Draw the views of one case, which :mod:`.views` chooses.

    The arrays are indexed ``[channel, x, y]`` or ``[channel, x, y, z]`` by the axes of the file and show the same field
    of view. Those of volumes have one shape; in-plane sizes of flat images may differ, since every picture takes the
    shape of the map.

    Args:
        image: input ``(C, *spatial)``; 3 channels are shown as colors, of any other number the first is shown.
        anomaly_map: ``(1, *spatial)``, at least 0.
        map_max: map value of the brightest color, the same for all cases; greater than 0.
        affine: 4 x 4, voxel index to RAS in mm; by default x = columns and y = rows of the picture, and voxels are
            cubes.
        oriented: whether the file says how its axes lie in the body, so that letters can; else ``affine`` is a
            convention.
        by_slices: whether the network works on the slices of a volume.
        slice_plane: in which these lie, ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        reconstruction: pseudo-healthy image ``(C, *spatial)``, shown in the window of the input.
        mask: predicted mask ``(1, *spatial)``, 0/1.
        truth: true mask ``(1, *spatial)``, 0/1.
        circles: true lesions as circles or balls ``(n, axes + 1)``: center and radius in voxels of the map.
        detections: what was found, in the same form.
        size: longer side of the largest picture in pixels, letters included.

    Returns:
        The views, the most important first; their pictures without ``"reconstruction"`` if there is none, and without
        ``"contours"`` if there is nothing to outline.

    Raises:
        ValueError: if ``map_max`` or ``size`` is not positive, or the arrays do not fit each other.
    """
    if not map_max > 0:
        raise ValueError(f"map_max must be greater than 0, got {map_max}.")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}.")
    grid = LIKE_A_PICTURE if affine is None else _affine(affine)
    volume_map = _channel_first("anomaly_map", anomaly_map)
    arrays = {
        name: _channel_first(name, value, like=volume_map)
        for name, value in (("image", image), ("reconstruction", reconstruction), ("mask", mask), ("truth", truth))
        if value is not None
    }
    balls = {
        name: _balls(name, value, volume_map.ndim)
        for name, value in (("circles", circles), ("detections", detections))
        if value is not None
    }
    volumes = {name: _volume(array) for name, array in (*arrays.items(), ("anomaly_map", volume_map))}
    evidence = Evidence(volumes["anomaly_map"], volumes.get("mask"), volumes.get("truth"), balls.get("circles"))
    views = choose_views(evidence, grid, oriented=oriented, by_slices=by_slices, slice_plane=slice_plane)
    window, margin = display_window(arrays["image"]), margin_of(size) if oriented else 0
    scale = (size - 2 * margin) / max(max(_extent(view)) for view in views)
    return [
        ViewPictures(
            {
                name: add_letters(picture, view.turn.letters, margin)
                for name, picture in _draw(view, volumes, balls, window, map_max, scale).items()
            },
            PLANE_NAMES[view.turn.plane] if oriented else "",
            *((view.turn.index_in_file(view.index), view.turn.shape[2]) if view.turn.shape[2] > 1 else (None, None)),
        )
        for view in views
    ]


def _draw(
    view: View,
    volumes: dict[str, Array],
    balls: dict[str, Points],
    window: tuple[float, float],
    map_max: float,
    scale: float,
) -> dict[str, RGB]:
    """Draw the panels of one view, ``scale`` pixels a millimeter."""
    columns, rows = (max(1, round(length * scale)) for length in _extent(view))
    shape = (columns, rows)
    planes = {name: view.turn.array(volume)[..., view.index] for name, volume in volumes.items()}
    images = {"input": draw_image(planes["image"], window, shape)}
    if "reconstruction" in planes:
        images["reconstruction"] = draw_image(planes["reconstruction"], window, shape)
    images["anomaly_map"] = draw_map(planes["anomaly_map"], map_max, shape)
    if balls or "mask" in planes or "truth" in planes:
        picture = draw_contours(images["input"], planes.get("mask"), planes.get("truth"))
        scales = (columns / view.turn.shape[0], rows / view.turn.shape[1])
        for name, color in (("circles", TRUTH_COLOR), ("detections", DETECTION_COLOR)):
            if name in balls:
                picture = draw_circles(picture, _cut(view.turn.points(balls[name]), view.index), scales, color)
        images["contours"] = picture
    return images


def _extent(view: View) -> tuple[float, float]:
    """Width and height of a view in mm."""
    width, height, _ = (float(length) for length in view.turn.shape * view.turn.voxel_size)
    return width, height


def _cut(balls: Points, index: int) -> Points:
    """Circles ``(n, 3)`` in which a slice cuts balls."""
    depth, radius = np.abs(balls[:, 2] - index), balls[:, 3]
    met = depth <= np.maximum(radius, 0.5)  # half a slice: a ball that lies between two is seen in one
    inside = np.sqrt(np.maximum(radius[met] ** 2 - depth[met] ** 2, 0))
    return np.column_stack([balls[met, :2], inside])


def _volume(array: Array) -> Array:
    """A flat image is a volume of one slice."""
    return array[..., None] if array.ndim == 3 else array


def _array(value: Any) -> Array:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _affine(value: Any) -> Array:
    affine = _array(value).astype(np.float64)
    if affine.shape != (4, 4):
        raise ValueError(f"affine must be 4 x 4, got shape {affine.shape}.")
    return affine


def _channel_first(name: str, value: Any, like: Array | None = None) -> Array:
    """Take a tensor or array ``(C, *spatial)`` as an array, and check it against the map."""
    array = _array(value)
    if array.ndim not in (3, 4) or array.size == 0:
        raise ValueError(f"{name} must be (C, x, y) or (C, x, y, z) and not empty, got shape {array.shape}.")
    if like is not None and (array.ndim != like.ndim or (array.ndim == 4 and array.shape[1:] != like.shape[1:])):
        raise ValueError(
            f"{name} of shape {array.shape} does not fit the anomaly map of shape {like.shape}: "
            "the number of axes and, of volumes, the shape must agree."
        )
    return array


def _balls(name: str, value: Any, columns: int) -> Points:
    """Take circles or balls ``(n, axes + 1)`` as balls ``(n, 4)``, and check them against the axes of the map."""
    array = _array(value).astype(np.float64)
    if array.size and (array.ndim != 2 or array.shape[1] != columns):
        raise ValueError(f"{name} must be (n, {columns}): center and radius in voxels, got shape {array.shape}.")
    rounds = array.reshape(-1, columns)
    return rounds if columns == 4 else np.insert(rounds, 2, 0, axis=1)
