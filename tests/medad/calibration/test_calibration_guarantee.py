# SPDX-License-Identifier: Apache-2.0
"""Rates over simulated subjects whose images are alike to any degree, against an oracle of the three formulas."""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from medad.calibration import Calibration, CalibrationBuilder, Guarantee
from medad.calibration.guarantee import most_called
from medad.errors import CalibrationError
from scipy import stats

Floats = npt.NDArray[np.float64]

IMAGE, ONE, ANY = Guarantee
REPETITIONS, MOST = 2500, 8
CONFIDENCE = 0.9999
"""Of each band of the counts; there are some 50 of them."""
SUBJECTS, CORRELATIONS = (5, 8, 20, 60), (0.0, 0.5, 0.9)


class Drawn(NamedTuple):
    """Normal scores of calibration subjects and of a new one, which comes last, in every repetition.

    Args:
        scores: ``(repetitions, subjects + 1, images)``; -inf where a subject has no such image.
        numbers: images of each subject ``(repetitions, subjects + 1)``.
    """

    scores: Floats
    numbers: npt.NDArray[np.int64]


@functools.cache
def _draw(subjects: int, correlation: float, even: bool = False) -> Drawn:
    """One to eight images of a subject, more of one with high scores; or eight of each."""
    rng = np.random.default_rng([subjects, int(10 * correlation)])
    own = rng.normal(size=(REPETITIONS, subjects + 1, 1))
    scores = np.sqrt(correlation) * own + np.sqrt(1 - correlation) * rng.normal(size=(*own.shape[:2], MOST))
    numbers = rng.binomial(MOST - 1, np.ones_like(own[..., 0]) if even else stats.norm.cdf(own[..., 0])) + 1
    return Drawn(np.where(np.arange(MOST) < numbers[..., None], scores, -np.inf), numbers)


def _p_values(drawn: Drawn, score: Floats) -> dict[Guarantee, Floats]:
    """Give the p-values by the three formulas, of a score in every repetition."""
    scores, numbers = drawn.scores[:, :-1], drawn.numbers[:, :-1]
    images, subjects = numbers.sum(axis=1), numbers.shape[1]
    shares = ((scores >= score[:, None, None]).sum(axis=2) / numbers).sum(axis=1)
    above = (scores.max(axis=2) >= score[:, None]).sum(axis=1)
    return {
        IMAGE: (1 + images / subjects * shares) / (images + 1),
        ONE: (1 + shares) / (subjects + 1),
        ANY: (1 + above) / (subjects + 1),
    }


def _rate(p_values: Floats, alpha: float) -> tuple[float, float]:
    """Give the confidence limits (Clopper, Pearson) of how often a p-value is at most alpha."""
    called = int((p_values <= alpha * (1 + 1e-9)).sum())
    low, high = stats.binomtest(called, p_values.size).proportion_ci(CONFIDENCE)
    return low, high


def _calibration(drawn: Drawn, repetition: int) -> Calibration:
    """What is made of the calibration subjects of a repetition, by two processes."""
    numbers = {str(k): int(number) for k, number in enumerate(drawn.numbers[repetition, :-1])}
    builders = [CalibrationBuilder(numbers), CalibrationBuilder(numbers)]
    for k, number in enumerate(numbers.values()):
        for i in range(number):
            builders[(k + i) % 2].update(drawn.scores[repetition, k, i], torch.ones(1, 1, 1), None, str(k))
    builders[0].merge(builders[1])
    return builders[0].build("d" * 64, "w" * 64)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("subjects", SUBJECTS)
def test_the_rate_lies_in_the_promised_band(subjects: int, correlation: float) -> None:
    drawn = _draw(subjects, correlation)
    new = drawn.scores[:, -1]
    of_one, of_highest = (_p_values(drawn, score) for score in (new[:, 0], new.max(axis=1)))
    step = 1 / (subjects + 1)
    for alpha in (step, 2 * step, max(0.2, step)):
        low, high = _rate(of_one[ONE], alpha)
        assert low <= alpha and alpha - 2 * step < high
        low, high = _rate(of_highest[ANY], alpha)
        exact = np.floor(alpha / step * (1 + 1e-9)) * step  # without ties
        assert low <= exact <= high and alpha - step < exact <= alpha


@pytest.mark.parametrize("subjects", [5, 8])
def test_the_image_form_calls_more_than_it_says_with_few_subjects(subjects: int) -> None:
    """So the test above could fail."""
    for correlation in CORRELATIONS:
        drawn = _draw(subjects, correlation, even=True)
        low, _ = _rate(_p_values(drawn, drawn.scores[:, -1, 0])[IMAGE], 0.05)
        assert low <= most_called(0.05, MOST * subjects, subjects)
        assert low > 0.05 or correlation < 0.9
        # nor does what holds for one image hold for the highest of a subject
        low, _ = _rate(_p_values(drawn, drawn.scores[:, -1].max(axis=1))[ONE], 2 / (subjects + 1))
        assert low > 2 / (subjects + 1)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("subjects", SUBJECTS)
def test_a_calibration_gives_the_p_values_of_the_formulas(subjects: int, correlation: float) -> None:
    drawn = Drawn(*(part[:3] for part in _draw(subjects, correlation)))
    for repetition, scores in enumerate(drawn.scores):
        calibration = _calibration(drawn, repetition)
        for score in scores[np.isfinite(scores)][::7]:
            expected = _p_values(drawn, np.full(3, score))
            for guarantee in Guarantee:
                p_value = expected[guarantee][repetition]
                assert calibration.p_value(float(score), guarantee) == pytest.approx(p_value, rel=1e-12)
                rate = 2 / (subjects + 1)
                assert calibration.decision(float(score), rate, guarantee) == int(p_value <= rate * (1 + 1e-9))
            assert expected[IMAGE][repetition] <= expected[ONE][repetition] <= expected[ANY][repetition]


def test_all_are_the_same_with_one_image_per_subject() -> None:
    builder = CalibrationBuilder()
    for i in range(30):
        builder.update(float(i), torch.ones(1, 1, 1), None, str(i))
    calibration = builder.build("d" * 64, "w" * 64)
    for score in (-1.0, 3.0, 3.5, 28.0, 40.0):
        assert len({calibration.p_value(score, guarantee) for guarantee in Guarantee}) == 1
    assert calibration.subject_maxima == calibration.scores


@pytest.mark.parametrize("guarantee", [ONE, ANY])
def test_few_subjects_support_no_low_rate(guarantee: Guarantee) -> None:
    calibration = _calibration(_draw(8, 0.5), 0)
    with pytest.raises(CalibrationError, match=r"8 normal subjects cannot .* of 0\.05\. Expected at least 19 normal"):
        calibration.decision(9.0, 0.05, guarantee)
    with pytest.raises(CalibrationError, match=r"of at least 0\.112, or the guarantee image, which is approximate\."):
        calibration.decision(9.0, 0.111, guarantee)
    assert calibration.promise(0.111, guarantee) is None and calibration.score_threshold(0.111, guarantee) is None
    assert calibration.decision(9.0, 0.112, guarantee) == calibration.decision(9.0, 0.05) == 1
    threshold = calibration.score_threshold(0.112, guarantee)
    assert threshold == calibration.scores[-1] and calibration.decision(threshold, 0.112, guarantee) == 0


def test_one_sentence_says_what_holds() -> None:
    said = {guarantee: guarantee.promise(0.05, 140, 25) for guarantee in Guarantee}
    assert "about 5 would be called abnormal, and on average at most 9, since" in said[IMAGE]
    assert said[ONE].endswith("on average at most 5 would be called abnormal on one randomly chosen image.")
    assert said[ANY].endswith("on average at most 5 would be called abnormal on any of their images.")
    assert "60 used here, each of another subject, on average at most 7" in IMAGE.promise(0.07, 60, 60)
    assert all(sentence.count(". ") == 0 and sentence.endswith(".") for sentence in said.values())
    assert len({guarantee.p_value_is for guarantee in Guarantee}) == 3
