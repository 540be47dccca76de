# SPDX-License-Identifier: Apache-2.0
"""Otsu's threshold: the one with the largest variance between the two sides, for each map by itself."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..keys import Keys
from .grid import entry, like, on_grid_of


class OtsuThresholdd(Transform):
    """Turn the map of a case into its mask, strictly above Otsu's threshold of its own foreground.

    It needs no calibration and promises no false-positive rate: a normal image is split, too. A volume is split as a
    whole.

    Args:
        map_key: the map.
        pred_key: where the mask goes.
        foreground_key: the threshold is that of the map inside this mask, and nothing outside is ever marked; ``None``
            means the whole map.

    Shape:
        anomaly_map: ``(1, *spatial)``; pred: ``(1, *spatial)``, uint8 0/1. A map of one value has an empty mask.

    References:
        Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. Systems, Man and Cybernetics 1979,
        doi:10.1109/TSMC.1979.4310076.
    """

    def __init__(
        self, map_key: str = Keys.ANOMALY_MAP, pred_key: str = Keys.PRED, foreground_key: str | None = None
    ) -> None:
        self.map_key = map_key
        self.pred_key = pred_key
        self.foreground_key = foreground_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Label the voxels of the case."""
        x: torch.Tensor = entry(data, self.map_key, "OtsuThresholdd")
        values = x.as_subclass(torch.Tensor).float()
        inside = torch.ones_like(values, dtype=torch.bool)
        if self.foreground_key is not None:
            inside = on_grid_of(entry(data, self.foreground_key, "OtsuThresholdd"), x) > 0
        labels = torch.zeros_like(values, dtype=torch.uint8)
        if inside.any():
            from skimage.filters import threshold_otsu  # slow to import, and seldom needed

            threshold = float(threshold_otsu(values[inside].cpu().numpy()))
            labels = ((values > threshold) & inside).to(torch.uint8)
        return {**data, self.pred_key: like(labels, x)}
