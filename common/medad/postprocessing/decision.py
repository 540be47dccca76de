# SPDX-License-Identifier: Apache-2.0
"""From map and score to mask and decision, at the false-positive rates that the calibration fixes.

``pred = [anomaly_map > t(voxel rate)]``, ``decision = [p(score) <= image rate]``.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Transform

from ..errors import CalibrationError
from ..keys import Keys
from .calibration import Calibration, check_rate, load_calibration
from .grid import entry, like, on_grid_of, plain
from .hashing import as_json_holds_it, refusal, weights_hash

logger = logging.getLogger(__name__)

PathLike = str | Path
CALIBRATED = "calibrated"
"""What a client that shows parameters as text has in the place of a threshold where none is given."""


def calibration_of_weights(
    calibration_path: PathLike | None,
    weights_path: PathLike | None,
    settings: Mapping[str, Any] | None = None,
    otherwise: str = "give --threshold",
) -> Calibration:
    """Load a calibration and check that it was made with these weights, and with these settings of map and score.

    Cheap to call per image: file and hash are read again only when a file changes.

    Args:
        calibration_path: the JSON file.
        weights_path: the network's weights; ``None`` skips the check, for networks that never came from a file.
        settings: what else makes the map and the score, by name; ``None`` skips the check.
        otherwise: what the user can do instead of calibrating again; ends the error about other weights or settings.

    Returns:
        The calibration.

    Raises:
        CalibrationError: if there is none, it is broken, or it belongs to other weights or settings.
    """
    if calibration_path is None:
        raise refusal(
            "calibration_path",
            "no calibration named",
            "the path of calibration.json",
            "Set calibration_path, or give --threshold for a mask without a decision.",
        )
    calibration = load_calibration(calibration_path)
    if weights_path is not None and weights_hash(weights_path) != calibration.weights_sha256:
        raise refusal(
            calibration_path,
            f"calibration of other weights than {weights_path}",
            f"weights with the SHA-256 {calibration.weights_sha256[:12]}...",
            f"Run calibrate.json with these weights, or {otherwise}.",
        )
    if settings is not None:
        _require_same(settings, calibration, calibration_path, otherwise)
    return calibration


def _require_same(settings: Mapping[str, Any], calibration: Calibration, path: PathLike, otherwise: str) -> None:
    now, then = as_json_holds_it(settings), calibration.settings
    changed = [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
    if changed:
        raise refusal(
            path,
            f"calibration of another score, with {', '.join(_other_parts(name, then, now) for name in changed)}",
            f"one with {', '.join(_other_parts(name, now, then) for name in changed)}, as this run has",
            f"Use the overlays of the calibration, run calibrate.json with these, or {otherwise}.",
        )


def _other_parts(name: str, settings: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Name a setting; of a long one, Name(a=1, b=2), only what the other has not."""
    parts, known = (re.split(r", (?=\w+=)", str(each.get(name))) for each in (settings, others))
    return f"{name} {', '.join(part for part in parts if part not in known) or settings.get(name)}"


class Calibrated(Transform):
    """Give a case its ``p_value`` and its ``decision`` (0 normal, 1 abnormal), and both with the score as ``result``.

    Nothing is read before the first case. With an explicit ``threshold`` the mask needs no calibration; where there is
    none then, or one of other weights, both are ``None``; where it has too few images for the rate, the decision is.
    The reason is logged once.

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
        check_rate("image_false_positive_rate", image_false_positive_rate)
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
        self._warned = False

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Judge the case."""
        score = float(entry(data, self.score_key, "Calibrated"))
        p_value: float | None = None
        decision: int | None = None
        try:
            calibration = calibration_of_weights(self.calibration_path, self.weights_path, self.settings)
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

    def _warn_once(self, text: str) -> None:
        if not self._warned:
            logger.warning(text)
        self._warned = True


class Thresholdd(Transform):
    """Turn the map of a case into its mask, strictly above the threshold.

    Nothing is read before the first case, and nothing at all if ``threshold`` is given.

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
        check_rate("voxel_false_positive_rate", voxel_false_positive_rate)
        self.calibration_path = calibration_path
        self.weights_path = weights_path
        self.settings = settings
        self.voxel_false_positive_rate = voxel_false_positive_rate
        self.threshold = given_threshold(threshold)
        self.map_key = map_key
        self.pred_key = pred_key
        self.foreground_key = foreground_key

    def resolve(self) -> float:
        """Give the threshold in use: the explicit one, else the calibrated one."""
        if self.threshold is not None:
            return self.threshold
        calibration = calibration_of_weights(self.calibration_path, self.weights_path, self.settings)
        return calibration.voxel_threshold(self.voxel_false_positive_rate)

    def label(self, values: torch.Tensor) -> torch.Tensor:
        """Turn map values into labels; what a subclass replaces.

        Args:
            values: float32 map ``(1, *spatial)`` without metadata.

        Returns:
            uint8 labels of the same shape.
        """
        return (values > self.resolve()).to(torch.uint8)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Label the voxels of the case."""
        step = type(self).__name__
        x: torch.Tensor = entry(data, self.map_key, step)
        labels = self.label(plain(x).float())
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
