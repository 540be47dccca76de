# SPDX-License-Identifier: Apache-2.0
"""Voxel threshold at a calibrated false-positive rate: ``pred = [anomaly_map > t(rate)]``."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..anomaly_map.grid import entry, like, on_grid_of
from ..keys import Keys
from .notes import Notes
from .shortage import rough_threshold
from .stored import StoredCalibration


class Thresholdd(Transform):
    """Turn the map of a case into its mask, strictly above the threshold.

    Nothing is read before the first case, and nothing at all if a threshold is given. A case of a ``dataset`` with a
    calibration of its own has the threshold of that one, any other case that of the one over all images. Its ``note``
    says if that may let through far more than it should.

    Args:
        calibration: the calibration of the run, with its voxel false-positive rate or its explicit threshold.
        map_key: the map.
        pred_key: where the mask goes.
        foreground_key: nothing outside this mask is ever marked; ``None`` means no restriction.

    Shape:
        anomaly_map: ``(1, *spatial)``; pred: ``(1, *spatial)``, uint8 0/1.

    Raises:
        CalibrationError: at a case, if there is no usable calibration and no threshold.
    """

    def __init__(
        self,
        calibration: StoredCalibration,
        map_key: str = Keys.ANOMALY_MAP,
        pred_key: str = Keys.PRED,
        foreground_key: str | None = None,
    ) -> None:
        self.calibration = calibration
        self.map_key = map_key
        self.pred_key = pred_key
        self.foreground_key = foreground_key
        self._notes = Notes()

    def label(self, values: torch.Tensor, dataset: str | None = None) -> torch.Tensor:
        """Turn map values into labels; what a subclass replaces.

        Args:
            values: float32 map ``(1, *spatial)`` without metadata.
            dataset: data set of the case, ``None`` if it has none.

        Returns:
            uint8 labels of the same shape.
        """
        return (values > self.calibration.voxel_threshold(dataset)).to(torch.uint8)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Label the voxels of the case."""
        step = type(self).__name__
        x: torch.Tensor = entry(data, self.map_key, step)
        dataset = data.get(Keys.DATASET)
        labels = self.label(x.as_subclass(torch.Tensor).float(), dataset)
        if self.foreground_key is not None:
            labels = labels * on_grid_of(entry(data, self.foreground_key, step), x)
        return self._notes.add({**data, self.pred_key: like(labels, x)}, [self._rough(dataset)])

    def _rough(self, dataset: str | None) -> str | None:
        asked = self.calibration
        if asked.threshold is not None:
            return None
        return rough_threshold(asked.load().of(dataset), asked.voxel_false_positive_rate)
