# SPDX-License-Identifier: Apache-2.0
"""Splitting the result of an inferer: channel 0 is the anomaly map, the others the reconstruction."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform

from ..keys import Keys
from .grid import entry


class SplitAnomalyMapd(MapTransform):
    """Split ``pred`` into ``anomaly_map`` and, where there is one, ``reconstruction``.

    ``pred`` leaves the case: after the whole chain it is the 0/1 mask, and nothing may mistake the one for the other.
    A ``MapTransform``, since MONAI Deploy looks at the first step to see whether a chain takes dictionaries.

    Args:
        pred_key: what the inferer returned.
        map_key: where channel 0 goes.
        reconstruction_key: where the other channels go; not written when there are none.

    Shape:
        pred: ``(1 + R, *spatial)``; anomaly_map: ``(1, *spatial)``, reconstruction: ``(R, *spatial)``, both float32.

    Raises:
        KeyError: if there is no ``pred``.
        ValueError: if ``pred`` is not ``(1 + R, *spatial)`` in 2 or 3 dimensions.
    """

    def __init__(
        self,
        pred_key: str = Keys.PRED,
        map_key: str = Keys.ANOMALY_MAP,
        reconstruction_key: str = Keys.RECONSTRUCTION,
    ) -> None:
        super().__init__(pred_key)
        self.pred_key = pred_key
        self.map_key = map_key
        self.reconstruction_key = reconstruction_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Split the prediction of one case."""
        result = dict(data)
        pred: torch.Tensor = entry(result, self.pred_key, "SplitAnomalyMapd")
        if pred.ndim not in (3, 4) or pred.shape[0] < 1:
            raise ValueError(f"{self.pred_key} must be (1 + R, *spatial) in 2D or 3D, got shape {tuple(pred.shape)}")
        del result[self.pred_key]
        result[self.map_key] = pred[:1].float()
        if pred.shape[0] > 1:
            result[self.reconstruction_key] = pred[1:].float()
        return result
