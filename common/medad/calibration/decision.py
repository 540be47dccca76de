# SPDX-License-Identifier: Apache-2.0
"""Decision at a calibrated false-positive rate: ``decision = [p(score) <= rate]``."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from ..anomaly_map.grid import entry
from ..checks import check_within
from ..errors import CalibrationError
from ..keys import Keys
from .calibration import Calibration
from .matching import PathLike, calibration_of_weights
from .threshold import given_threshold

logger = logging.getLogger(__name__)


class Calibrated(Transform):
    """Give a case its ``p_value`` and its ``decision`` (0 normal, 1 abnormal), and both with the score as ``result``.

    Nothing is read before the first case. With an explicit ``threshold`` the mask needs no calibration; where there is
    none then, or one of other weights, both are ``None``; where it has too few images for the rate, the decision is.
    A case of a ``dataset`` with a calibration of its own is judged by that one, any other case by the one over all
    images; where other data sets have their own, a warning says so. Every reason is logged once.

    Args:
        calibration_path: calibration.json.
        weights_path: the network's weights, which the calibration must belong to; ``None`` skips the check.
        settings: what else makes map and score, which the calibration must agree with; ``None`` skips the check.
        image_false_positive_rate: share of normal images that may be called abnormal, in (0, 1).
        threshold: the explicit map threshold, where one is given (see :func:`given_threshold`); it does not change the
            p-value.
        score_key: the score.
        map_key: the map; a warning says once if it has other axes than the images of the calibration had.
        p_value_key: where the p-value goes (float or ``None``).
        decision_key: where the decision goes (int or ``None``).
        result_key: where the three go together, by their keys.

    Raises:
        ValueError: at construction, if an argument is out of its range.
        CalibrationError: at a case, if there is no usable calibration and no ``threshold``.
    """

    def __init__(
        self,
        calibration_path: PathLike | None,
        weights_path: PathLike | None = None,
        settings: Mapping[str, Any] | None = None,
        image_false_positive_rate: float = 0.05,
        threshold: float | str | None = None,
        score_key: str = Keys.ANOMALY_SCORE,
        map_key: str = Keys.ANOMALY_MAP,
        p_value_key: str = Keys.P_VALUE,
        decision_key: str = Keys.DECISION,
        result_key: str = Keys.RESULT,
    ) -> None:
        check_within("(0, 1)", image_false_positive_rate=image_false_positive_rate)
        self.calibration_path = calibration_path
        self.weights_path = weights_path
        self.settings = settings
        self.image_false_positive_rate = image_false_positive_rate
        self.threshold = given_threshold(threshold)
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
            everything = calibration_of_weights(self.calibration_path, self.weights_path, self.settings)
            calibration = everything.of(data.get(Keys.DATASET))
            self._check_dataset(calibration, data)
            p_value = calibration.p_value(score)
            decision = calibration.decision(score, self.image_false_positive_rate)
            self._check_axes(calibration, data)
        except CalibrationError as error:
            if self.threshold is None:
                raise
            self._warn_once(f"no decision: {error}")
        found: dict[Hashable, Any] = {str(self.p_value_key): p_value, str(self.decision_key): decision}
        return {**data, **found, self.result_key: {str(self.score_key): score, **found}}

    def _check_axes(self, calibration: Calibration, data: Mapping[Hashable, Any]) -> None:
        axes = data[self.map_key].ndim - 1 if self.map_key in data else None
        if axes and calibration.axes and axes not in calibration.axes:
            calibrated = " and ".join(map(str, calibration.axes))
            self._warn_once(
                f"{self.calibration_path}: made from images with {calibrated} axes, this one has {axes}. Scores of "
                "slices and of volumes differ, so that p-values and decisions are not reliable. Calibrate on what you "
                "infer on."
            )

    def _check_dataset(self, calibration: Calibration, data: Mapping[Hashable, Any]) -> None:
        if calibration.groups:
            name = data.get(Keys.DATASET)
            self._warn_once(
                f"{self.calibration_path}: it has calibrations of the data sets {', '.join(calibration.groups)}, these "
                f"cases are of {name or 'none'}: judged by the one over all images, whose rates need "
                "not hold here. Give dataset_dir as {name: path} with one of these names."
            )

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            logger.warning(text)
        self._warned.add(text)
