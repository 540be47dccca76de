# SPDX-License-Identifier: Apache-2.0
"""Decision at a calibrated false-positive rate: ``decision = [p(score) <= rate]``."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from ..anomaly_map.grid import entry
from ..errors import CalibrationError
from ..keys import Keys
from .calibration import Calibration
from .guarantee import Guarantee
from .notes import Notes
from .stored import StoredCalibration
from .weighted_scores import normals_needed


class Calibrated(Transform):
    """Give a case its ``p_value`` and its ``decision`` (0 normal, 1 abnormal), and both with the score as ``result``.

    Nothing is read before the first case. With an explicit threshold the mask needs no calibration; where there is
    none then, or one of other weights, both are ``None``; where it has too few images for the rate, the decision is.
    A case of a ``dataset`` with a calibration of its own is judged by that one, any other case by the one over all
    images; where other data sets have their own, a note says so. Another note says what p-value and decision hold for,
    where that is not each image by itself. What makes the results of a case less reliable is its
    ``note``; each is logged once.

    Args:
        calibration: the calibration of the run, with its image false-positive rate; an explicit threshold of the map
            does not change the p-value.
        score_key: the score.
        map_key: the map; a note says if it has other axes than the images of the calibration had.
        p_value_key: where the p-value goes (float or ``None``).
        decision_key: where the decision goes (int or ``None``).
        result_key: where the three go together, by their keys, and with the note.

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
        self._notes = Notes()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Judge the case."""
        score = float(entry(data, self.score_key, "Calibrated"))
        p_value: float | None = None
        decision: int | None = None
        notes: list[str | None] = []
        asked = self.calibration
        try:
            calibration = asked.load().of(data.get(Keys.DATASET))
            notes.append(_of_other_datasets(calibration, data.get(Keys.DATASET)))
            notes.append(_of_other_axes(calibration, data[self.map_key].ndim - 1) if self.map_key in data else None)
            p_value = calibration.p_value(score, asked.guarantee)
            decision = calibration.decision(score, asked.image_false_positive_rate, asked.guarantee)
            notes.append(_of_subjects(calibration, asked))
        except CalibrationError as error:
            if asked.threshold is None:
                raise
            notes.append(f"{error} There is no decision.")
        found: dict[Hashable, Any] = {str(self.p_value_key): p_value, str(self.decision_key): decision}
        return self._notes.add({**data, **found, self.result_key: {str(self.score_key): score, **found}}, notes)


def _of_subjects(calibration: Calibration, asked: StoredCalibration) -> str | None:
    """Say what p-value and decision hold for, where that is not each image by itself."""
    if asked.guarantee is Guarantee.IMAGE and calibration.subjects >= normals_needed(asked.image_false_positive_rate):
        return None
    return calibration.promise(asked.image_false_positive_rate, asked.guarantee)


def _of_other_axes(calibration: Calibration, axes: int) -> str | None:
    if not calibration.axes or axes in calibration.axes:
        return None
    return (
        f"The calibration is made from images with {' and '.join(map(str, calibration.axes))} axes, this one has "
        f"{axes}. Scores of slices and of volumes differ, so that p-value and decision are not reliable. Calibrate on "
        "what you infer on."
    )


def _of_other_datasets(calibration: Calibration, dataset: str | None) -> str | None:
    if not calibration.groups:
        return None
    return (
        f"The calibration has parts for the data sets {', '.join(calibration.groups)}, this case is of "
        f"{dataset or 'none'}: judged by all images together, whose rates need not hold here. Give dataset_dir as "
        "{name: path} with one of these names."
    )
