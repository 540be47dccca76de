# SPDX-License-Identifier: Apache-2.0
"""Panels: window, contours, files."""

import io

import numpy as np
import pytest
from medad.report.panels import MASK_COLOR, TRUTH_COLOR, display_window, draw_contours, encode_jpeg
from PIL import Image


@pytest.mark.parametrize("values", [[0.0], [5.0], [np.nan], [-3.0, -3.0]])
def test_window_is_never_empty(values: list[float]) -> None:
    low, high = display_window(np.array(values).reshape(1, 1, -1))
    assert np.isfinite([low, high]).all()
    assert high > low


def test_window_ignores_outliers() -> None:
    image = np.r_[np.linspace(0, 1, 9999), 1e6].reshape(1, 100, 100)
    assert display_window(image)[1] < 1.01


def test_contours_of_equal_masks_both_stay_visible() -> None:
    mask = np.zeros((1, 32, 32), np.uint8)
    mask[0, 10:20, 12:18] = 1
    picture = draw_contours(np.zeros((32, 32, 3), np.uint8), mask, mask)
    region = mask[0].T.astype(bool)
    is_mask, is_truth = ((picture == color).all(-1) for color in (MASK_COLOR, TRUTH_COLOR))
    assert is_mask.any()
    assert is_truth.any()
    assert not (is_mask & ~region).any()
    assert not (is_truth & region).any()
    assert not picture[13:17, 11:19].any()  # the inside stays free


def test_region_at_the_edge_is_closed() -> None:
    picture = draw_contours(np.zeros((16, 16, 3), np.uint8), np.ones((1, 16, 16)), None)
    assert (picture[0] == MASK_COLOR).all()
    assert (picture[:, -1] == MASK_COLOR).all()


def test_jpeg_round_trip() -> None:
    picture = np.full((20, 30, 3), (200, 40, 90), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(picture))))
    assert np.abs(decoded.astype(int) - picture).max() <= 4
