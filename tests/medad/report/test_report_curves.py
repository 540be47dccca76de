# SPDX-License-Identifier: Apache-2.0
"""Curves against scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from medad.metrics import sensitivity_at_false_positives
from medad.report.curves import (
    MAX_POINTS,
    _thin,
    froc_figure,
    precision_recall_points,
    roc_figure,
    roc_points,
    score_histogram_figure,
    size_range,
)
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve


def scores(seed: int, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, 40).round(decimals), rng.normal(1, 1, 25).round(decimals)


@pytest.mark.parametrize("seed", range(4))
def test_points_agree_with_scikit_learn(seed: int) -> None:
    """Rounded scores have ties within and across the groups."""
    normal, abnormal = scores(seed)
    labels, values = np.r_[np.zeros(40), np.ones(25)], np.r_[normal, abnormal]
    false_rate, true_rate = roc_points(normal, abnormal)
    expected = roc_curve(labels, values, drop_intermediate=False)
    np.testing.assert_allclose(false_rate, expected[0])
    np.testing.assert_allclose(true_rate, expected[1])
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(roc_auc_score(labels, values))
    recall, precision = precision_recall_points(normal, abnormal)
    area = np.sum(np.diff(np.r_[0, recall]) * precision)
    assert area == pytest.approx(average_precision_score(labels, values))


def test_points_of_one_image_each() -> None:
    false_rate, true_rate = roc_points(np.array([1.0]), np.array([1.0]))
    np.testing.assert_array_equal(false_rate, [0, 1])
    np.testing.assert_array_equal(true_rate, [0, 1])


def test_long_curves_are_thinned_with_their_ends() -> None:
    x = np.linspace(0, 1, 50_000)
    thin_x, thin_y = _thin(x, x**2)
    assert thin_x.size <= MAX_POINTS
    assert (thin_x[0], thin_x[-1]) == (0, 1)
    np.testing.assert_allclose(thin_y, thin_x**2)


def test_histogram_shows_shares_of_each_group() -> None:
    normal, abnormal = scores(1)
    axes = score_histogram_figure({"a": (normal, "normal"), "b": (abnormal, "abnormal")}).axes[0]
    totals = [patch.get_data().values.sum() for patch in axes.patches]
    np.testing.assert_allclose(totals, 1.0)
    assert "a (40)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_histogram_axis_is_logarithmic_only_for_a_wide_range() -> None:
    narrow = score_histogram_figure({"a": (np.array([1.0, 2.0]), "normal")})
    wide = score_histogram_figure({"a": (np.array([0.01, 2.0]), "normal")})
    negative = score_histogram_figure({"a": (np.array([-1.0, 2.0]), "normal")})
    assert [figure.axes[0].get_xscale() for figure in (narrow, wide, negative)] == ["linear", "log", "linear"]
    assert "logarithmic" in wide.axes[0].get_xlabel()


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_histogram_of_equal_scores(value: float) -> None:
    axes = score_histogram_figure({"a": (np.full(3, value), "normal")}, threshold=value).axes[0]
    assert axes.patches[0].get_data().values.sum() == pytest.approx(1)


def test_histogram_without_scores_is_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        score_histogram_figure({"a": (np.array([]), "normal")})


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 10, "< 10"), (10, 100, "10\u2013100"), (100, None, "≥ 100"), (100, float("inf"), "≥ 100")],
)
def test_size_range(low: float, high: float | None, text: str) -> None:
    assert size_range({"low": low, "high": high}) == text


def test_png_is_written_without_pyplot(tmp_path: Path) -> None:
    roc_figure(*scores(0)).savefig(tmp_path / "roc.png")
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_froc_is_drawn_as_it_is_read() -> None:
    """Linear between points, the upper end at a vertical step, level in the end."""
    curve = (np.array([0.0, 0.0, 0.3, 0.3, 0.3, 1.5, 2.0]), np.array([0.0, 0.2, 0.2, 0.4, 0.5, 0.5, 0.9]))
    read = [{"false_positives_per_image": rate, "value": 0.5, "low": 0.4, "high": 0.7} for rate in (0.125, 1.0, 8.0)]
    axes = froc_figure(curve, read).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "Detections")
    rates, found = line.get_data()
    expected = sensitivity_at_false_positives(*(torch.from_numpy(values) for values in curve), rates.tolist())
    np.testing.assert_allclose(found, expected.numpy())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1/8", "1", "8"]
    without = froc_figure(curve, [{**entry, "low": None} for entry in read]).axes[0]
    assert "95 % interval" not in {text.get_text() for text in without.get_legend().get_texts()}
