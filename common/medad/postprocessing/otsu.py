# SPDX-License-Identifier: Apache-2.0
"""A mask that every map splits into by itself, at the threshold with the largest variance between the two sides.

t = argmax of w (1 - w) (m_1 - m_0)^2,  w the share of the values up to t, m_0 their mean, m_1 that of the others
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..keys import Keys
from .grid import entry, like, on_grid_of, plain


def otsu_threshold(values: torch.Tensor) -> float:
    """Find the threshold, exactly.

    That of scikit-image is the middle of a bin of a histogram, and may part values of the lower side from each other.

    Args:
        values: any shape, at least one value.

    Returns:
        The largest value of the lower side; if all are equal, that value.

    References:
        Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. Systems, Man and Cybernetics 1979,
        doi:10.1109/TSMC.1979.4310076, equation 14.
    """
    ordered = values.flatten().double().sort().values
    total, low = len(ordered), ordered[:-1].cumsum(0)
    count = torch.arange(1, total, device=ordered.device)
    between = count * (total - count) * ((ordered.sum() - low) / (total - count) - low / count).square()
    splits = ordered[1:] > ordered[:-1]  # equal values stay together
    if not splits.any():
        return float(ordered[-1])
    return float(ordered[between.where(splits, -1.0).argmax()])


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
        values = plain(x).float()
        inside = torch.ones_like(values, dtype=torch.bool)
        if self.foreground_key is not None:
            inside = on_grid_of(entry(data, self.foreground_key, "OtsuThresholdd"), x) > 0
        labels = torch.zeros_like(values, dtype=torch.uint8)
        if inside.any():
            labels = ((values > otsu_threshold(values[inside])) & inside).to(torch.uint8)
        return {**data, self.pred_key: like(labels, x)}
