# SPDX-License-Identifier: Apache-2.0
"""The calibration that a run judges by: its file, what it must belong to, and the rates that are asked of it."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.inferers import Inferer
from monai.transforms import Compose
from torch import nn

from ..checks import check_choice, check_within
from ..networks import weights_hash
from .calibration import Calibration
from .guarantee import Guarantee
from .matching import calibration_of_weights
from .settings import score_settings

CALIBRATED = "calibrated"
"""What a client that shows parameters as text has in the place of a threshold where none is given."""


class StoredCalibration:
    """Calibration of a run, made once in a configuration and handed to whatever needs it.

    Nothing is read before the first case.

    Args:
        path: calibration.json.
        weights_path: the network's weights, which the calibration must belong to; ``None`` skips the check, for
            networks that never came from a file.
        pipeline: what else makes map and score: preprocessing, inferer, map post-processing and network. A calibration
            made with others is refused (see :func:`~.settings.score_settings`); ``None`` skips the check.
        image_false_positive_rate: share of normal images that may be called abnormal, in (0, 1).
        voxel_false_positive_rate: share of normal foreground voxels that may lie in the mask, from 1e-5 to 0.5.
        threshold: explicit threshold of the map (see :func:`given_threshold`), which then needs no
            calibration; ``None`` takes the calibrated one.
        guarantee: what p-value and image false-positive rate hold for, a value of :class:`.Guarantee`; the mask does
            not depend on it.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self,
        path: str | Path | None,
        weights_path: str | Path | None = None,
        pipeline: tuple[Compose, Inferer, Sequence[Any], nn.Module] | None = None,
        image_false_positive_rate: float = 0.05,
        voxel_false_positive_rate: float = 0.002,
        threshold: float | str | None = None,
        guarantee: str = Guarantee.IMAGE,
    ) -> None:
        check_within("(0, 1)", image_false_positive_rate=image_false_positive_rate)
        check_within("(0, 1)", voxel_false_positive_rate=voxel_false_positive_rate)
        check_choice([each.value for each in Guarantee], guarantee=guarantee)
        self.path = None if path is None else Path(path)
        self.weights_path = None if weights_path is None else Path(weights_path)
        self.settings = None if pipeline is None else score_settings(*pipeline)
        self.image_false_positive_rate = image_false_positive_rate
        self.voxel_false_positive_rate = voxel_false_positive_rate
        self.guarantee = Guarantee(guarantee)
        self.threshold = given_threshold(threshold)

    @property
    def weights_sha256(self) -> str | None:
        """Hash of the weights, see :func:`~.hashing.weights_hash`."""
        return None if self.weights_path is None else weights_hash(self.weights_path)

    @property
    def file_sha256(self) -> str | None:
        """Hash of the file, ``None`` if it is missing."""
        if self.path is None or not self.path.is_file():
            return None
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def load(self) -> Calibration:
        """Read the calibration; cheap to call per image, the file is read again only when it changes.

        Raises:
            CalibrationError: if there is none, it is broken, or it belongs to other weights or settings.
        """
        return calibration_of_weights(self.path, self.weights_path, self.settings)

    def voxel_threshold(self, dataset: str | None = None) -> float:
        """Give the threshold in use: the explicit one, else the calibrated one.

        Args:
            dataset: data set of the case, ``None`` if it has none.

        Raises:
            CalibrationError: see :meth:`load`.
        """
        if self.threshold is not None:
            return self.threshold
        return self.load().of(dataset).voxel_threshold(self.voxel_false_positive_rate)


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
