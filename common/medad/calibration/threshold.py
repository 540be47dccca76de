# SPDX-License-Identifier: Apache-2.0
"""Voxel threshold at a calibrated false-positive rate: ``pred = [anomaly_map > t(rate)]``."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..anomaly_map.grid import entry, like, on_grid_of
from ..checks import check_within
from ..keys import Keys
from .matching import PathLike, calibration_of_weights

CALIBRATED = "calibrated"
"""What a client that shows parameters as text has in the place of a threshold where none is given."""


class Thresholdd(Transform):
    """Turn the map of a case into its mask, strictly above the threshold.

    Nothing is read before the first case, and nothing at all if ``threshold`` is given. A case of a ``dataset`` with a
    calibration of its own has the threshold of that one, any other case that of the one over all images.

    Args:
        calibration_path: calibration.json.
        weights_path: the network's weights, which the calibration must belong to; ``None`` skips the check.
        settings: what else makes map and score, which the calibration must agree with; ``None`` skips the check.
        voxel_false_positive_rate: share of normal foreground voxels that may lie in the mask, from 1e-5 to 0.5.
        threshold: explicit threshold (see :func:`given_threshold`); ``None`` takes the calibrated one.
        map_key: the map.
        pred_key: where the mask goes.
        foreground_key: nothing outside this mask is ever marked; ``None`` means no restriction.

    Shape:
        anomaly_map: ``(1, *spatial)``; pred: ``(1, *spatial)``, uint8 0/1.

    Raises:
        ValueError: at construction, if an argument is out of its range.
        CalibrationError: at a case, if there is no usable calibration and no ``threshold``.
    """

    def __init__(
        self,
        calibration_path: PathLike | None,
        weights_path: PathLike | None = None,
        settings: Mapping[str, Any] | None = None,
        voxel_false_positive_rate: float = 0.002,
        threshold: float | str | None = None,
        map_key: str = Keys.ANOMALY_MAP,
        pred_key: str = Keys.PRED,
        foreground_key: str | None = None,
    ) -> None:
        check_within("(0, 1)", voxel_false_positive_rate=voxel_false_positive_rate)
        self.calibration_path = calibration_path
        self.weights_path = weights_path
        self.settings = settings
        self.voxel_false_positive_rate = voxel_false_positive_rate
        self.threshold = given_threshold(threshold)
        self.map_key = map_key
        self.pred_key = pred_key
        self.foreground_key = foreground_key

    def resolve(self, dataset: str | None = None) -> float:
        """Give the threshold in use: the explicit one, else the calibrated one.

        Args:
            dataset: data set of the case, ``None`` if it has none.
        """
        return self._calibrated(self.voxel_false_positive_rate, dataset) if self.threshold is None else self.threshold

    def label(self, values: torch.Tensor, dataset: str | None = None) -> torch.Tensor:
        """Turn map values into labels; what a subclass replaces.

        Args:
            values: float32 map ``(1, *spatial)`` without metadata.
            dataset: data set of the case, ``None`` if it has none.

        Returns:
            uint8 labels of the same shape.
        """
        return (values > self.resolve(dataset)).to(torch.uint8)

    def _calibrated(self, rate: float, dataset: str | None) -> float:
        calibration = calibration_of_weights(self.calibration_path, self.weights_path, self.settings)
        return calibration.of(dataset).voxel_threshold(rate)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Label the voxels of the case."""
        step = type(self).__name__
        x: torch.Tensor = entry(data, self.map_key, step)
        labels = self.label(x.as_subclass(torch.Tensor).float(), data.get(Keys.DATASET))
        if self.foreground_key is not None:
            labels = labels * on_grid_of(entry(data, self.foreground_key, step), x)
        return {**data, self.pred_key: like(labels, x)}


def given_threshold(threshold: float | str | None) -> float | None:
    """Read a threshold as configurations and clients write it.

    Args:
        threshold: a finite number, or one as text; ``None`` or ``"calibrated"`` if none is given.

    Returns:
        The number, or ``None``.

    Raises:
        ValueError: naming the argument, if it is something else.

    Example:
        >>> given_threshold("0.25"), given_threshold("calibrated")
        (0.25, None)
    """
    if threshold is None or threshold == CALIBRATED:
        return None
    try:
        value = float(threshold)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"threshold must be a finite number, None or {CALIBRATED!r}, got {threshold!r}")
    return value
