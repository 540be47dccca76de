# SPDX-License-Identifier: Apache-2.0
"""Calibration: conformal p-values and voxel thresholds from held-out normal images.

``p(s) = (1 + sum_i w_i [s_i >= s]) / (n + 1)`` over the ``n`` normal scores ``s_i``, where ``w_i = n / (S * n_i)`` for
an image whose subject has ``n_i`` of them, ``S`` subjects in all: every subject weighs the same and the weights sum to
``n``. With one image per subject ``P(p <= alpha) <= alpha`` for a new normal image exchangeable with them. The same
scores give p-values that hold for subjects, see :mod:`.guarantee`.
"""

import dataclasses
import functools
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import check_within
from ..errors import calibration_error
from ..files import atomic_path
from .guarantee import Guarantee
from .weighted_scores import SLACK, WeightedScores, least_rate, normals_needed

FORMAT = "medad.calibration/2"
HIGHEST_VOXEL_RATE, LOWEST_VOXEL_RATE = 0.5, 1e-5
_USUAL_RATES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5)
LISTS = (
    *("scores", "score_weights", "voxel_rates", "voxel_thresholds"),
    *("voxel_rates_expected", "voxel_rates_at_most", "subject_maxima"),
)
SHARED = ("format", "medad_version", "weights_sha256", "settings")
"""Entries that the calibrations of single data sets have in common with that of all of them; written once."""
_RECALIBRATE = "Run calibrate.json on your own normal images"


def voxel_rate_grid() -> tuple[float, ...]:
    """List the voxel false-positive rates that a calibration tabulates: 50 per decade and the usual ones, falling."""
    spaced = np.logspace(math.log10(HIGHEST_VOXEL_RATE), math.log10(LOWEST_VOXEL_RATE), 236)
    return tuple(sorted({float(f"{rate:.6g}") for rate in spaced} | set(_USUAL_RATES), reverse=True))


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Scores and voxel quantiles of held-out normal images; one JSON file.

    Several images of a subject are not exchangeable with the images of others; they are weighted by subject and the
    rates then hold only approximately (:attr:`approximate`), unless a :class:`.Guarantee` for subjects is asked for.

    Args:
        scores: normal scores, rising.
        score_weights: weight of each score; they sum to the number of images.
        subjects: number of subjects.
        voxels: number of foreground voxels seen.
        effective_voxels: Kish's effective number, smaller where the weights differ; says how low a rate can go.
        voxel_rates: tabulated voxel false-positive rates, falling.
        voxel_thresholds: for each rate the threshold ``t`` such that at most this share of the normal foreground voxels
            (every subject weighing the same) is above ``t``; rising.
        voxel_rates_expected: for each rate the share to expect above such a threshold in a new subject, from subjects
            that it was made without (see :mod:`.left_out`); empty where all images are of one subject.
        voxel_rates_at_most: the same, two standard errors higher.
        subject_maxima: highest score of each subject, rising; empty if not known.
        data_sha256: :func:`~.hashing.data_hash` of the normal images.
        weights_sha256: :func:`medad.networks.weights_hash` of the network's weights.
        medad_version: version of medad that wrote it.
        settings: what else makes the map and the score, by name, as JSON holds it.
        axes: spatial axes of the images, rising: 2 for slices, 3 for volumes; empty if not known.
        groups: beside this calibration over all images, those over the images of one data set each, by its name; empty
            if the images come from one data set.
        dataset: data set of the images, for the entries of ``groups``; empty for all images.

    Raises:
        ValueError: if the entries do not fit together.

    References:
        1. V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2nd ed. 2022, section 2.2
           (conformal p-values), doi:10.1007/978-3-031-06649-8.
        2. S. Bates et al., Testing for Outliers with Conformal p-values, Annals of Statistics 2023, eq. 2,
           arXiv:2104.08279.
    """

    scores: tuple[float, ...]
    score_weights: tuple[float, ...]
    subjects: int
    voxels: int
    effective_voxels: float
    voxel_rates: tuple[float, ...]
    voxel_thresholds: tuple[float, ...]
    data_sha256: str
    weights_sha256: str
    medad_version: str
    voxel_rates_expected: tuple[float, ...] = ()
    voxel_rates_at_most: tuple[float, ...] = ()
    subject_maxima: tuple[float, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    axes: tuple[int, ...] = ()
    groups: Mapping[str, "Calibration"] = dataclasses.field(default_factory=dict)
    dataset: str = ""

    def __post_init__(self) -> None:
        """Check that the entries fit together."""
        for name in LISTS:
            values = getattr(self, name)
            if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
                raise ValueError(f"{name} must hold finite numbers")
        if not self.scores or len(self.scores) != len(self.score_weights):
            raise ValueError("scores and score_weights must be of one length, at least 1")
        if len(self.voxel_rates) != len(self.voxel_thresholds):
            raise ValueError("voxel_rates and voxel_thresholds must be of one length")
        lengths = {len(self.voxel_rates_expected), len(self.voxel_rates_at_most)}
        if lengths not in ({0}, {len(self.voxel_rates)}):
            raise ValueError("voxel_rates_expected and voxel_rates_at_most must be empty or as long as voxel_rates")
        new_subjects = zip(self.voxel_rates_expected, self.voxel_rates_at_most, strict=True)
        if any(not 0 <= expected <= at_most <= 1 for expected, at_most in new_subjects):
            raise ValueError("voxel_rates_expected must lie between 0 and voxel_rates_at_most, and that up to 1")
        if not 1 <= self.subjects <= self.images:
            raise ValueError(f"subjects must lie in [1, {self.images}], got {self.subjects}")
        if min(self.score_weights) <= 0 or abs(sum(self.score_weights) - self.images) > 1e-6 * self.images:
            raise ValueError("score_weights must be positive and sum to the number of images")
        self._check_order()
        if any(not name or group.dataset != name or group.groups for name, group in self.groups.items()):
            raise ValueError("groups must hold calibrations by their dataset, without groups of their own")

    def _check_order(self) -> None:
        rising = (self.scores, self.voxel_thresholds, self.subject_maxima)
        if any(list(values) != sorted(values) for values in rising):
            raise ValueError("scores, voxel_thresholds and subject_maxima must rise")
        if list(self.voxel_rates) != sorted(self.voxel_rates, reverse=True):
            raise ValueError("voxel_rates must fall")
        maxima = self.subject_maxima
        if maxima and (len(maxima) != self.subjects or maxima[-1] != self.scores[-1]):
            raise ValueError("subject_maxima must be empty, or hold a score of each subject")

    @property
    def images(self) -> int:
        """Number of normal images."""
        return len(self.scores)

    @property
    def approximate(self) -> bool:
        """Whether some subject has several images, so that the rates hold only approximately."""
        return self.images > self.subjects

    @functools.cached_property
    def _normals(self) -> dict[Guarantee, WeightedScores]:
        """What a new score is ranked among, for each guarantee that the entries support."""
        per_subject = [weight * self.subjects / self.images for weight in self.score_weights]
        found = {
            Guarantee.IMAGE: WeightedScores(self.scores, self.score_weights, self.images),
            Guarantee.ONE_IMAGE_OF_SUBJECT: WeightedScores(self.scores, per_subject, self.subjects),
        }
        maxima = self.subject_maxima if self.approximate else self.scores
        if maxima:
            found[Guarantee.ANY_IMAGE_OF_SUBJECT] = WeightedScores(maxima, [1.0] * self.subjects, self.subjects)
        return found

    @property
    def _where(self) -> str:
        return f"calibration of the data set {self.dataset}" if self.dataset else "calibration"

    def of(self, dataset: str | None) -> "Calibration":
        """Give the calibration that a case is judged by.

        Args:
            dataset: data set of the case, ``None`` if it has none.

        Returns:
            That of its data set where there is one, else this one.
        """
        return self if dataset is None else self.groups.get(dataset, self)

    def p_value(self, score: float, guarantee: Guarantee = Guarantee.IMAGE) -> float:
        """Give the conformal p-value of a score.

        Args:
            score: score of a new image.
            guarantee: what the p-value holds for.

        Returns:
            In ``[1 / (n + 1), 1]``, with ``n`` images or subjects; small means unlike the normal ones.

        Raises:
            CalibrationError: if the file is too old for the guarantee.
            ValueError: if the score is not a number.
        """
        return self._among(guarantee).p_value(score)

    def decision(self, score: float, rate: float, guarantee: Guarantee = Guarantee.IMAGE) -> int:
        """Call an image abnormal if its p-value is at most ``rate``.

        Args:
            score: score of a new image.
            rate: image false-positive rate, in (0, 1).
            guarantee: what the rate holds for.

        Returns:
            0 normal, 1 abnormal.

        Raises:
            CalibrationError: if there are fewer than ``ceil(1 / rate) - 1`` normal images, or subjects: no score could
                be called abnormal then; or if the file is too old for the guarantee.
            ValueError: if the rate lies outside (0, 1).
        """
        check_within("(0, 1)", rate=rate)
        normals, needed = self._among(guarantee), normals_needed(rate)
        if normals.count < needed:
            remedy = f"give an image_false_positive_rate of at least {least_rate(normals.count)}"
            if guarantee is not Guarantee.IMAGE:
                remedy += f", or the guarantee {Guarantee.IMAGE}, which is approximate"
            raise calibration_error(
                self._where,
                f"{normals.count} normal {guarantee.unit} cannot support an image false-positive rate of {rate:g}",
                f"at least {needed} normal {guarantee.unit}",
                f"{_RECALIBRATE}, or {remedy}.",
            )
        return int(normals.is_rare(score, rate))

    def score_threshold(self, rate: float, guarantee: Guarantee = Guarantee.IMAGE) -> float | None:
        """Give the score above which an image is called abnormal.

        Args:
            rate: image false-positive rate, in (0, 1).
            guarantee: what the rate holds for.

        Returns:
            The smallest such calibration score, or ``None`` if there are too few images, or subjects, for the rate.

        Raises:
            CalibrationError: if the file is too old for the guarantee.
        """
        return self._among(guarantee).threshold(rate)

    def promise(self, rate: float, guarantee: Guarantee = Guarantee.IMAGE) -> str | None:
        """Say in one sentence what a rate means; see :meth:`.Guarantee.promise`.

        Args:
            rate: image false-positive rate, in (0, 1).
            guarantee: what the rate holds for.

        Returns:
            The sentence, or ``None`` if there are too few images, or subjects, for the rate.

        Raises:
            CalibrationError: if the file is too old for the guarantee.
        """
        if self._among(guarantee).count < normals_needed(rate):
            return None
        return guarantee.promise(rate, self.images, self.subjects)

    def _among(self, guarantee: Guarantee) -> WeightedScores:
        if guarantee not in self._normals:
            raise calibration_error(
                self._where,
                f"it does not say which scores are of one subject, so that there is no guarantee {guarantee}",
                "calibration.json with subject_maxima",
                f"Run calibrate.json again, or give the guarantee {Guarantee.ONE_IMAGE_OF_SUBJECT}.",
            )
        return self._normals[guarantee]

    def voxel_threshold(self, rate: float) -> float:
        """Give the threshold above which at most a share ``rate`` of the normal foreground voxels lie.

        Between two tabulated rates (at most 5 % apart) the lower one counts, so the share is never exceeded on the
        calibration images.

        Args:
            rate: voxel false-positive rate.

        Returns:
            Threshold for ``anomaly_map > threshold``.

        Raises:
            CalibrationError: if the rate is above 0.5, below 1e-5, or below what the number of voxels supports.
        """
        return self.voxel_thresholds[self._tabulated(rate)]

    def new_subjects(self, rate: float) -> tuple[float, float] | None:
        """Give the share of new normal subjects above the threshold for a rate.

        Args:
            rate: voxel false-positive rate.

        Returns:
            The share to expect and one two standard errors higher, or ``None`` where all calibration images are of one
            subject.

        Raises:
            CalibrationError: see :meth:`voxel_threshold`.
        """
        place = self._tabulated(rate)
        return (
            (self.voxel_rates_expected[place], self.voxel_rates_at_most[place]) if self.voxel_rates_expected else None
        )

    def _tabulated(self, rate: float) -> int:
        """Place of the highest tabulated rate that is not above another."""
        check_within("(0, 1)", rate=rate)
        if not LOWEST_VOXEL_RATE * (1 - SLACK) <= rate <= HIGHEST_VOXEL_RATE:
            raise calibration_error(
                self._where,
                f"voxel false-positive rate of {rate:g} asked for",
                f"a rate from {LOWEST_VOXEL_RATE:g} to {HIGHEST_VOXEL_RATE:g}",
                "Set voxel_false_positive_rate in this range, or give --threshold.",
            )
        for place, tabulated in enumerate(self.voxel_rates):
            if tabulated <= rate * (1 + SLACK):
                return place
        raise calibration_error(
            self._where,
            f"{self.effective_voxels:.0f} effective voxels cannot support a voxel false-positive rate of {rate:g}",
            f"at least {normals_needed(rate)} normal ones",
            f"{_RECALIBRATE}, raise voxel_false_positive_rate, or give --threshold.",
        )

    def to_dict(self) -> dict[str, Any]:
        """List the entries of the JSON file, in its order; without groups there is no entry for them."""
        rest = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        groups = {name: group.to_dict() for name, group in rest.pop("groups").items()}
        del rest["dataset"]
        head = {"format": FORMAT, "images": self.images, "subjects": rest.pop("subjects")}
        head |= {"approximate": self.approximate, "voxels": rest.pop("voxels")}
        head |= {
            name: rest.pop(name) for name in ("axes", "medad_version", "data_sha256", "weights_sha256", "settings")
        }
        own = {name: {key: group[key] for key in group if key not in SHARED} for name, group in groups.items()}
        return head | rest | ({"groups": own} if own else {})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON file whole or not at all; equal calibrations give equal files."""
        with atomic_path(Path(path)) as partial:
            partial.write_text(json.dumps(self.to_dict(), indent=4, allow_nan=False) + "\n", encoding="utf-8")
