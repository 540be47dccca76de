# SPDX-License-Identifier: Apache-2.0
"""Decision at a calibrated false-positive rate: ``decision = [p(score) <= rate]``."""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from ..anomaly_map.grid import entry
from ..errors import CalibrationError
from ..keys import Keys
from .calibration import Calibration
from .stored import StoredCalibration

logger = logging.getLogger(__name__)


class Calibrated(Transform):
    """Give a case its ``p_value`` and its ``decision`` (0 normal, 1 abnormal), and both with the score as ``result``.

    Nothing is read before the first case. With an explicit threshold the mask needs no calibration; where there is
    none then, or one of other weights, both are ``None``; where it has too few images for the rate, the decision is.
    A case of a ``dataset`` with a calibration of its own is judged by that one, any other case by the one over all
    images; where other data sets have their own, a warning says so. Every reason is logged once.

    Args:
        calibration: the calibration of the run, with its image false-positive rate; an explicit threshold of the map
            does not change the p-value.
        score_key: the score.
        map_key: the map; a warning says once if it has other axes than the images of the calibration had.
        p_value_key: where the p-value goes (float or ``None``).
        decision_key: where the decision goes (int or ``None``).
        result_key: where the three go together, by their keys.

    Raises:
        CalibrationError: at a case, if there is no usable calibration and no threshold.
    """

    def __init__(
        self,
        calibration: StoredCalibration,
        score_key: str = Keys.ANOMALY_SCORE,
        map_key: str = Keys.ANOMALY_MAP,
        p_value_key: str = Keys.P_VALUE,
        decision_key: str = Keys.DECISION,
        result_key: str = Keys.RESULT,
    ) -> None:
        self.calibration = calibration
        self.score_key = score_key
        self.map_key = map_key
        self.p_value_key = p_value_key
        self.decision_key = decision_key
        self.result_key = result_key
        self._warned: set[str] = set()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Judge the case."""
        score = float(entry(data, self.score_key, "Calibrated"))
        p_value: float | None = None
        decision: int | None = None
        try:
            calibration = self.calibration.load().of(data.get(Keys.DATASET))
            self._check_dataset(calibration, data)
            p_value = calibration.p_value(score)
            decision = calibration.decision(score, self.calibration.image_false_positive_rate)
            self._check_axes(calibration, data)
        except CalibrationError as error:
            if self.calibration.threshold is None:
                raise
            self._warn_once(f"no decision: {error}")
        found: dict[Hashable, Any] = {str(self.p_value_key): p_value, str(self.decision_key): decision}
        return {**data, **found, self.result_key: {str(self.score_key): score, **found}}

    def _check_axes(self, calibration: Calibration, data: Mapping[Hashable, Any]) -> None:
        axes = data[self.map_key].ndim - 1 if self.map_key in data else None
        if axes and calibration.axes and axes not in calibration.axes:
            calibrated = " and ".join(map(str, calibration.axes))
            self._warn_once(
                f"{self.calibration.path}: made from images with {calibrated} axes, this one has {axes}. Scores of "
                "slices and of volumes differ, so that p-values and decisions are not reliable. Calibrate on what you "
                "infer on."
            )

    def _check_dataset(self, calibration: Calibration, data: Mapping[Hashable, Any]) -> None:
        if calibration.groups:
            name = data.get(Keys.DATASET)
            self._warn_once(
                f"{self.calibration.path}: it has calibrations of the data sets {', '.join(calibration.groups)}, these "
                f"cases are of {name or 'none'}: judged by the one over all images, whose rates need "
                "not hold here. Give dataset_dir as {name: path} with one of these names."
            )

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            logger.warning(text)
        self._warned.add(text)
