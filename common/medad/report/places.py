# SPDX-License-Identifier: Apache-2.0
"""Choose where a volume is cut: through the truth first, so that a missed lesion is seen, then the mask, then the map.

A lesion is a connected component, corners connecting, as in the lesion metrics. All arrays are ``(1, i, j, k)`` and
turned alike (:mod:`.turn`), so that the choice does not depend on the axes of the file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from .turn import Array, Points, Turn

SLICES = 3
"""How many slices of a volume are shown."""
APART = 0.15
"""Least distance of slices that are not chosen for different true lesions, as a share of all slices."""

Amounts: TypeAlias = Callable[[Sequence[int]], npt.NDArray[np.float64]]
"""From the slices that are shown to what each slice would add; -inf where that is nothing."""


@dataclass(frozen=True)
class Evidence:
    """What says where a volume is worth a look.

    Attributes:
        anomaly_map: ``(1, i, j, k)``.
        mask: predicted mask of that shape, 0/1.
        truth: true mask of that shape, 0/1.
        balls: true lesions ``(n, 4)``, center and radius in voxels; used where there is no true mask.
    """

    anomaly_map: Array
    mask: Array | None = None
    truth: Array | None = None
    balls: Points | None = None

    def turned(self, turn: Turn) -> "Evidence":
        """The same from the axes of the file to those of pictures."""
        mask, truth = (None if array is None else turn.array(array) for array in (self.mask, self.truth))
        balls = None if self.balls is None else turn.points(self.balls)
        return Evidence(turn.array(self.anomaly_map), mask, truth, balls)


def choose_place(seen: Evidence) -> tuple[int, int, int]:
    """Choose the voxel that three planes go through.

    Args:
        seen: turned volumes.

    Returns:
        A voxel of the largest true lesion, else of the largest predicted one, else the highest of the map. Of a lesion
        it is the middle of the fullest row of the fullest slice.
    """
    anomaly_map, mask, truth, balls = seen.anomaly_map, seen.mask, seen.truth, seen.balls
    if truth is not None and np.any(truth):
        return _inside_largest(truth)
    if balls is not None and len(balls):
        center = np.rint(balls[np.argmax(balls[:, 3]), :3])
        i, j, k = (int(index) for index in np.clip(center, 0, np.array(anomaly_map.shape[1:]) - 1))
        return i, j, k
    if mask is not None and np.any(mask):
        return _inside_largest(mask)
    k = int(np.argmax([_values(anomaly_map, index).max() for index in range(anomaly_map.shape[3])]))
    row, column = np.unravel_index(np.argmax(_values(anomaly_map, k)), anomaly_map.shape[1:3])
    return int(row), int(column), k


def choose_slices(seen: Evidence) -> list[int]:
    """Choose up to ``SLICES`` slices: with most true lesion, else with most predicted mask, else with the highest map.

    A true or predicted lesion counts until it is seen in a slice; the highest map is that with the largest sum. What
    the mask or the map adds keeps its distance from the slices before. Of equal slices the one closest to the middle of
    the volume is taken.

    Args:
        seen: turned volumes.

    Returns:
        Different indices along the last axis, the most important first.
    """
    anomaly_map, mask, truth, balls = seen.anomaly_map, seen.mask, seen.truth, seen.balls
    depth = anomaly_map.shape[3]
    gap = max(1, round(APART * depth))
    chosen: list[int] = []

    def add(amounts: Amounts, distance: int) -> None:
        while len(chosen) < SLICES and (index := _most(amounts(chosen), chosen, distance)) is not None:
            chosen.append(index)

    if truth is not None and np.any(truth):
        add(_components_unseen(truth), 1)
    elif balls is not None and len(balls):
        add(_balls_unseen(balls, depth), 1)
    if mask is not None and np.any(mask):
        add(_components_unseen(mask), gap)
    add(_sums(anomaly_map), gap)
    return chosen


def _most(amounts: npt.NDArray[np.float64], chosen: Sequence[int], distance: int) -> int | None:
    """The slice that adds most, at a distance from those chosen."""
    depth = len(amounts)
    from_the_middle = sorted(range(depth), key=lambda index: abs(2 * index - (depth - 1)))
    free = [k for k in from_the_middle if all(abs(k - other) >= distance for other in chosen) and amounts[k] > -np.inf]
    return max(free, key=lambda index: amounts[index]) if free else None


def _components_unseen(mask: Array) -> Amounts:
    labels, count = _components(mask)
    found = [plane[plane > 0] for plane in np.moveaxis(labels, 2, 0)]
    depth, lesions = len(found), np.concatenate(found)  # of each marked voxel its lesion, and its slice:
    places = np.repeat(np.arange(depth), [len(part) for part in found])

    def amounts(chosen: Sequence[int]) -> npt.NDArray[np.float64]:
        unseen = np.ones(count + 1, dtype=bool)
        unseen[lesions[np.isin(places, chosen)]] = False
        voxels = np.bincount(places[unseen[lesions]], minlength=depth)
        return np.where(voxels, voxels, -np.inf)

    return amounts


def _balls_unseen(balls: Points, depth: int) -> Amounts:
    centers, radii = np.clip(balls[:, 2, None], 0, depth - 1), np.maximum(balls[:, 3, None], 0.5)
    areas = np.pi * (radii**2 - (centers - np.arange(depth)) ** 2)

    def amounts(chosen: Sequence[int]) -> npt.NDArray[np.float64]:
        met = areas >= 0
        met[met[:, list(chosen)].any(axis=1)] = False
        return np.where(met.any(axis=0), np.where(met, areas, 0).sum(axis=0), -np.inf)

    return amounts


def _sums(anomaly_map: Array) -> Amounts:
    sums = np.array([_values(anomaly_map, k).sum(dtype=np.float64) for k in range(anomaly_map.shape[3])])
    return lambda _: sums


def _inside_largest(mask: Array) -> tuple[int, int, int]:
    labels, _ = _components(mask)
    largest = 1 + int(np.argmax(np.bincount(labels.reshape(-1))[1:]))
    region = labels == largest
    k = int(np.argmax(region.sum(axis=(0, 1))))
    j = int(np.argmax(region[..., k].sum(axis=0)))
    (row,) = region[:, j, k].nonzero()
    return int(row[len(row) // 2]), j, k


def _components(mask: Array) -> tuple[npt.NDArray[np.int32], int]:
    labels, count = label(mask[0] > 0, np.ones((3, 3, 3)))
    return labels, count


def _values(anomaly_map: Array, index: int) -> Array:
    """One slice without NaN, in one memory order: else its sum would depend on the file's."""
    return np.nan_to_num(np.ascontiguousarray(anomaly_map[0, ..., index]))
