# SPDX-License-Identifier: Apache-2.0
"""Anomaly score: one number per image, the anomaly map reduced over the foreground.

``mean``: average over the foreground; ``max``: its largest value; ``std``: its standard deviation;
``top_fraction``: average of the ``ceil(fraction * n)`` largest of its ``n`` voxels;
``window_max``: largest average over a window, at all places of the window inside the image.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Transform
from torch.nn import functional as F

from ..checks import check_choice, check_within
from ..errors import InputError
from ..keys import Keys
from .grid import entry, on_grid_of

REDUCTIONS = ("mean", "max", "std", "top_fraction", "window_max")


def anomaly_score(
    anomaly_map: torch.Tensor,
    foreground: torch.Tensor | None = None,
    reduction: str = "mean",
    fraction: float = 0.01,
    window_size: Sequence[int] = (16, 16),
) -> torch.Tensor:
    """Reduce a map to the score of its image.

    A volume of a 2D method has one score, over all its voxels. An image without foreground has the score 0: nothing
    was looked at, so nothing is abnormal.

    Args:
        anomaly_map: map ``(1, *spatial)``.
        foreground: 0/1 mask ``(1, *spatial)`` of the voxels that count; ``None`` counts all.
        reduction: ``"mean"``, ``"max"``, ``"std"``, ``"top_fraction"`` or ``"window_max"``.
        fraction: share of the foreground that ``"top_fraction"`` averages, in (0, 1].
        window_size: voxels of the window of ``"window_max"`` along each axis, 1 along axes that are not named: two
            numbers make it go through a volume slice by slice. Voxels outside the foreground count as 0 there, and the
            window is no larger than the image.

    Returns:
        Scalar float32 tensor on the map's device.

    Raises:
        ValueError: if an argument is out of its range or the shapes differ.
    """
    _check_settings(reduction, fraction, window_size)
    values = anomaly_map.as_subclass(torch.Tensor).float()
    if foreground is not None:
        inside = on_grid_of(foreground, values)
        if reduction == "window_max":
            return _window_max(values * inside, window_size)
        values = values[inside]
    elif reduction == "window_max":
        return _window_max(values, window_size)
    values = values.reshape(-1)
    if values.numel() == 0:
        return values.new_zeros(())
    if reduction == "max":
        return values.max()
    if reduction == "std":
        return values.double().std(correction=0).float()
    if reduction == "top_fraction":
        # the tolerance keeps 0.01 * 700 = 7.000000000000001 at 7 voxels
        values = values.topk(math.ceil(fraction * values.numel() * (1 - 1e-12)), sorted=False).values
    return values.mean(dtype=torch.float64).float()


class AnomalyScored(Transform):
    """Give a case its ``anomaly_score``.

    Args:
        reduction: see :func:`anomaly_score`.
        fraction: see :func:`anomaly_score`.
        window_size: see :func:`anomaly_score`.
        map_key: the map.
        foreground_key: the mask of the voxels that count; ``None`` counts all.
        score_key: where the score goes.

    Shape:
        anomaly_map: ``(1, *spatial)``; anomaly_score: scalar, float32.

    Raises:
        ValueError: at construction, if an argument is out of its range.
        KeyError: if the map, or the foreground where one is named, is missing.
        InputError: if the foreground is empty or the score is not finite: such a case is not normal, it is unknown.
    """

    def __init__(
        self,
        reduction: str = "mean",
        fraction: float = 0.01,
        window_size: Sequence[int] = (16, 16),
        map_key: str = Keys.ANOMALY_MAP,
        foreground_key: str | None = None,
        score_key: str = Keys.ANOMALY_SCORE,
    ) -> None:
        _check_settings(reduction, fraction, window_size)
        self.reduction = reduction
        self.fraction = fraction
        self.window_size = tuple(window_size)
        self.map_key = map_key
        self.foreground_key = foreground_key
        self.score_key = score_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Score the case."""
        x = entry(data, self.map_key, "AnomalyScored")
        mask = None if self.foreground_key is None else entry(data, self.foreground_key, "AnomalyScored")
        where = data.get(Keys.CASE, "image")
        if mask is not None and not bool(mask.any()):
            raise InputError(
                "no foreground is left to look at",
                where=where,
                expected="an object brighter than its background and larger than the erosion",
                remedy="Check the image, lower foreground_threshold or foreground_erosion, or give a foreground mask.",
            )
        score = anomaly_score(x, mask, self.reduction, self.fraction, self.window_size)
        if not bool(torch.isfinite(score)):
            raise InputError(
                "the anomaly map is not finite",
                where=where,
                expected="finite values",
                remedy="Check the image and the weights; a network trained to NaN has to be trained again.",
            )
        return {**data, self.score_key: score}


def _window_max(values: torch.Tensor, window_size: Sequence[int]) -> torch.Tensor:
    shape = values.shape[1:]
    if len(window_size) > len(shape):
        raise ValueError(f"window_size={tuple(window_size)}: the map has {len(shape)} axes.")
    window = [min(width, size) for width, size in zip(window_size, shape, strict=False)]
    window += [1] * (len(shape) - len(window))
    pool = F.avg_pool2d if len(shape) == 2 else F.avg_pool3d
    means: torch.Tensor = pool(values, window, stride=1)
    return means.max()


def _check_settings(reduction: str, fraction: float, window_size: Sequence[int]) -> None:
    check_choice(REDUCTIONS, reduction=reduction)
    check_within("(0, 1]", fraction=fraction)
    if len(window_size) not in (2, 3) or min(window_size) < 1:
        raise ValueError(f"window_size must have 2 or 3 entries, each at least 1, got {tuple(window_size)}")
