# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.phantom.acquisition import acquire
from medad.phantom.fields import normalized_axes
from scipy import stats

SIZES = [(64, 48), (24, 20, 16)]


def _scan(size: tuple[int, ...], level: float, seed: int = 0) -> np.ndarray:
    inside = np.ones(size, dtype=bool)
    inside[:4] = False
    return acquire(np.random.default_rng(seed), np.full(size, level), inside, normalized_axes(size))


@pytest.mark.parametrize("size", SIZES)
def test_outside_is_zero_and_inside_never_below(size: tuple[int, ...]) -> None:
    image = _scan(size, 0.8)
    assert image.shape == size and image.dtype == np.float32
    assert not image[:4].any() and image[4:].min() > 0
    assert np.array_equal(_scan(size, 0.8), image) and not np.array_equal(_scan(size, 0.8, seed=1), image)


@pytest.mark.parametrize("size", SIZES)
def test_without_signal_there_is_rayleigh_noise(size: tuple[int, ...]) -> None:
    for seed in range(5):
        values = _scan(size, 0.0, seed)[4:].ravel()
        scale = np.sqrt((values**2).mean() / 2)
        assert 0.7 * 0.010 < scale < 1.3 * 0.020  # gain times sigma
        assert stats.kstest(values, stats.rayleigh(scale=scale).cdf).pvalue > 1e-3


def test_gain_contrast_and_bias_stay_in_their_ranges() -> None:
    ratios, spreads = [], []
    for seed in range(200):
        bright, dark = (_scan((32, 32), level, seed)[4:] for level in (1.0, 0.5))
        ratios.append(np.median(dark / bright))
        spreads.append(np.log(bright).std())
    assert 0.5**1.08 * 0.99 < min(ratios) < 0.5**1.05 and 0.5**0.95 < max(ratios) < 0.5**0.92 * 1.01
    assert 0.015 < np.median(spreads) < 0.09  # bias of 3 to 9 %, and noise of 1 to 2 %


def test_a_negative_intensity_is_none() -> None:
    assert np.array_equal(_scan((16, 16), -1.0), _scan((16, 16), 0.0))
