# SPDX-License-Identifier: Apache-2.0
"""Graded label maps for clients that show nothing else: a heatmap 0..255, and bins 0..5 by rarity.

``heatmap = min(255, ceil(127 * anomaly_map / t))`` with ``t`` the voxel threshold, and
``bin = number of the five rates r with anomaly_map > t(r)``.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch

from ..checks import check_within
from ..keys import Keys
from .stored import StoredCalibration
from .threshold import Thresholdd

BIN_RATES = (0.05, 0.02, 0.01, 0.002, 0.0005)


class HeatmapPredd(Thresholdd):
    """Turn the map into a heatmap on a fixed scale, the same for every image.

    0 is 0, 127 is the threshold of the mask and 255 is twice that or more: the voxels above 127 are exactly those of
    the mask that :class:`~.threshold.Thresholdd` makes with the same arguments.

    Args:
        calibration: see :class:`~.threshold.Thresholdd`; an explicit threshold must be positive.
        map_key: see there.
        pred_key: where the heatmap goes.
        foreground_key: see there; 0 outside.

    Shape:
        anomaly_map: ``(1, *spatial)``; pred: ``(1, *spatial)``, uint8 0..255.
    """

    def label(self, values: torch.Tensor, dataset: str | None = None) -> torch.Tensor:
        """Scale map values to 0..255."""
        scale = self.calibration.voxel_threshold(dataset)
        if scale <= 0:  # normal voxels are all 0: any other is off the scale
            return (values > scale).to(torch.uint8) * 255
        return (values.double() / scale * 127.0).ceil().clamp(0, 255).to(torch.uint8)


class ScoreBinPredd(Thresholdd):
    """Turn the map into labels by how rare a voxel is among normal ones.

    ===== ============================================
    label voxel false-positive rate (default rates)
    ===== ============================================
    0     above 0.05: as normal voxels are
    1     0.05 and less
    2     0.02 and less
    3     0.01 and less
    4     0.002 and less: the mask at its default rate
    5     0.0005 and less
    ===== ============================================

    Args:
        calibration: see :class:`~.threshold.Thresholdd`.
        rates: voxel false-positive rates, falling, each from 1e-5 to 0.5.
        map_key: see there.
        pred_key: where the labels go.
        foreground_key: see there; 0 outside.

    Shape:
        anomaly_map: ``(1, *spatial)``; pred: ``(1, *spatial)``, uint8 0..len(rates).

    Raises:
        ValueError: at construction, if the rates do not fall or lie outside (0, 1).
        CalibrationError: at a case, if there is no usable calibration.
    """

    def __init__(
        self,
        calibration: StoredCalibration,
        rates: Sequence[float] = BIN_RATES,
        map_key: str = Keys.ANOMALY_MAP,
        pred_key: str = Keys.PRED,
        foreground_key: str | None = None,
    ) -> None:
        super().__init__(calibration, map_key, pred_key, foreground_key)
        for rate in rates:
            check_within("(0, 1)", rates=rate)
        if not 1 <= len(rates) <= 255 or any(high <= low for high, low in pairwise(rates)):
            raise ValueError(f"rates must fall, 1 to 255 of them, got {list(rates)}")
        self.rates = tuple(rates)

    def label(self, values: torch.Tensor, dataset: str | None = None) -> torch.Tensor:
        """Count the thresholds that map values exceed."""
        calibration = self.calibration.load().of(dataset)
        thresholds = [calibration.voxel_threshold(rate) for rate in self.rates]
        return torch.bucketize(values, torch.tensor(thresholds, device=values.device)).to(torch.uint8)
