# SPDX-License-Identifier: Apache-2.0
"""Smooth random fields: scale, smoothness, independence of the grid."""

import numpy as np
import pytest
from medad.phantom.fields import coverage, normalized_axes, smooth_field, smoothstep, spline_basis, voxel_size
from scipy.interpolate import BSpline


@pytest.mark.parametrize("size", [(4, 4), (4, 6), (6, 4, 8)])
def test_axes_are_voxel_centers(size: tuple[int, ...]) -> None:
    axes = normalized_axes(size)
    assert np.broadcast_shapes(*(axis.shape for axis in axes)) == size
    for axis in axes:
        np.testing.assert_allclose(np.diff(axis.ravel()), 2 / min(size))
        np.testing.assert_allclose(axis.sum(), 0, atol=1e-12)
    assert voxel_size(axes) == pytest.approx(0.5)


def test_basis_is_the_cubic_b_spline_with_unit_rows() -> None:
    points = np.linspace(-1, 1, 41)
    cells = 5
    knots = np.arange(-3, cells + 4)
    expected = BSpline.design_matrix((points + 1) / 2 * cells, knots, 3).toarray()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(spline_basis(points, cells), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(12, 12), (6, 6, 6)])
def test_field_is_standard_normal_at_each_point(size: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    fields = np.stack([smooth_field(generator, normalized_axes(size), 3) for _ in range(3000)])
    np.testing.assert_allclose(fields.mean(0), 0, atol=5 / np.sqrt(3000))
    np.testing.assert_allclose(fields.var(0), 1, atol=6 * np.sqrt(2 / 3000))


@pytest.mark.parametrize("dims", [2, 3])
def test_field_does_not_depend_on_the_grid(dims: int) -> None:
    # every third center of a grid three times as fine is a center of the coarse grid
    coarse = smooth_field(np.random.default_rng(1), normalized_axes((9,) * dims), 4)
    fine = smooth_field(np.random.default_rng(1), normalized_axes((27,) * dims), 4)
    np.testing.assert_allclose(fine[(slice(1, None, 3),) * dims], coarse, atol=1e-12)


def test_more_cells_are_less_smooth() -> None:
    slopes = []
    for cells in (2, 4, 8, 16):
        field = smooth_field(np.random.default_rng(2), normalized_axes((128, 128)), cells)
        slopes.append(np.abs(np.diff(field, axis=0)).mean())
    ratios = np.array(slopes[1:]) / np.array(slopes[:-1])
    assert ((ratios > 1.4) & (ratios < 3)).all()


def test_coverage_is_a_ramp() -> None:
    np.testing.assert_allclose(coverage(np.array([-1.0, -0.2, 0.0, 0.1, 1.0]), 0.2), [0, 0, 0.5, 0.75, 1])


def test_smoothstep_rises_and_falls() -> None:
    points = np.array([0.0, 1.0, 1.5, 2.0, 3.0])
    np.testing.assert_allclose(smoothstep(points, 1, 2), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(points, 2, 1), [1, 1, 0.5, 0, 0])
