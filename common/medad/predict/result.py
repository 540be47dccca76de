# SPDX-License-Identifier: Apache-2.0
"""Result of the detector: map, score, p-value, decision, mask, pseudo-healthy image."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..keys import Keys
from .arrays import AxisOrder


@dataclass(frozen=True, repr=False)
class AnomalyResult:
    """The result of one image, with arrays on its grid and in its axis order.

    Without a usable calibration there are map and score; asking for anything else that needs one raises the error that
    says what to do. With an explicit ``threshold`` there is a mask in any case, and p-value and decision are ``None``
    where there is no calibration.

    Attributes:
        case: name of the file without its suffix, or ``"array"``.
        anomaly_map: float32, the higher the less normal; one scale for all images.
        score: anomaly of the whole image.
        reconstruction: float32, the pseudo-healthy image at the scale of the network; ``None`` if the method has none.
            Several channels are on the channel axis of the input, the last one for a file.
        affine: 4 x 4, voxel index of a volume to RAS in mm.
    """

    case: str
    anomaly_map: NDArray[np.float32]
    score: float
    reconstruction: NDArray[np.float32] | None
    affine: NDArray[np.float64]
    _judgment: dict[str, Any] = field(default_factory=dict)
    _calibration_error: CalibrationError | None = None

    @property
    def mask(self) -> NDArray[np.uint8]:
        """uint8, 1 where the map is above the threshold; under ``output_heatmap`` or ``output_bins`` its labels.

        Raises:
            CalibrationError: if there is no usable calibration and no threshold.
        """
        mask: NDArray[np.uint8] = self._judged(Keys.PRED)
        return mask

    @property
    def p_value(self) -> float | None:
        """Conformal p-value of the score against the calibration normals.

        Raises:
            CalibrationError: if there is no usable calibration and no threshold.
        """
        value: float | None = self._judged(Keys.P_VALUE)
        return value

    @property
    def decision(self) -> int | None:
        """0 normal, 1 abnormal, at ``image_false_positive_rate``.

        Raises:
            CalibrationError: if there is no usable calibration and no threshold.
        """
        value: int | None = self._judged(Keys.DECISION)
        return value

    @property
    def note(self) -> str:
        """What p-value and decision hold for, where it is to be said, and what makes them or the mask less reliable."""
        return str(self._judgment.get(Keys.NOTE, ""))

    def _judged(self, key: str) -> Any:
        if key not in self._judgment and self._calibration_error is not None:
            raise self._calibration_error
        return self._judgment[key]

    def __repr__(self) -> str:
        """Show everything but the pixels."""
        judgment = {key: self._judgment.get(key) for key in ("p_value", "decision")}
        shown = ", ".join(f"{key}={value}" for key, value in judgment.items())
        return f"AnomalyResult({self.case!r}, shape={self.anomaly_map.shape}, score={self.score:.4g}, {shown})"


def result_of_case(case: dict[str, Any], order: AxisOrder, calibration_error: CalibrationError | None) -> AnomalyResult:
    """Make the result of a post-processed case.

    Args:
        case: the case, on the grid of its input.
        order: of the axes of the input.
        calibration_error: why there is no mask or decision, if there is none.

    Returns:
        The result.
    """
    without_channels = order.without_channels()
    judgment = {str(key): case[key] for key in (Keys.P_VALUE, Keys.DECISION, Keys.NOTE) if key in case}
    if Keys.PRED in case:
        judgment[str(Keys.PRED)] = without_channels.array(case[Keys.PRED])
    reconstruction = case.get(Keys.RECONSTRUCTION)
    return AnomalyResult(
        case=str(case[Keys.CASE]),
        anomaly_map=without_channels.array(case[Keys.ANOMALY_MAP]),
        score=float(case[Keys.ANOMALY_SCORE]),
        reconstruction=None if reconstruction is None else order.array(reconstruction),
        affine=np.asarray(case[Keys.ANOMALY_MAP].affine.cpu(), dtype=np.float64),
        _judgment=judgment,
        _calibration_error=calibration_error,
    )
