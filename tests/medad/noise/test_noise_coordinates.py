# SPDX-License-Identifier: Apache-2.0
"""Coordinates against fractions of whole numbers: exact far away from 0, too."""

from fractions import Fraction

import pytest
import torch
from medad.noise.coordinates import AxisTable, axis_table, octave_wavelengths, voxel_axis_table

CPU = torch.device("cpu")
STRETCH = -1 / 6


def _values(whole: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    return whole.double() + rest.double()


@pytest.mark.parametrize("first", [0, -7, 10**9])
@pytest.mark.parametrize("spacing", [1.0, 0.5, 3.0])
def test_whole_and_rest_are_the_coordinate(first: int, spacing: float) -> None:
    table = voxel_axis_table(first, 5, spacing, 12.0, 3, STRETCH, CPU)
    assert table.whole.shape == table.skew_rest.shape == (3, 5)
    for octave in range(3):
        for index in range(5):
            exact = Fraction(first + index) * Fraction(spacing) * 2**octave / 12
            assert int(table.whole[octave, index]) == exact.__floor__()
            assert float(table.rest[octave, index]) == pytest.approx(float(exact - exact.__floor__()), abs=1e-6)
            skew = _values(table.skew_whole, table.skew_rest)[octave, index]
            assert float(skew) == pytest.approx(STRETCH * float(exact), abs=1e-6, rel=1e-9)
    assert ((table.rest >= 0) & (table.rest <= 1) & (table.skew_rest >= 0) & (table.skew_rest <= 1)).all()


def test_wavelengths_are_halved() -> None:
    assert octave_wavelengths(48.0, 4, CPU).tolist() == [48.0, 24.0, 12.0, 6.0]


def test_voxels_are_positions_in_steps_of_the_spacing() -> None:
    table = voxel_axis_table(-2, 4, 1.5, 8.0, 2, STRETCH, CPU)
    same = axis_table(torch.tensor([-3.0, -1.5, 0.0, 1.5]), octave_wavelengths(8.0, 2, CPU), STRETCH)
    assert isinstance(table, AxisTable) and all(torch.equal(*pair) for pair in zip(table, same, strict=True))


def test_tables_made_in_an_inference_serve_a_training() -> None:
    with torch.inference_mode():
        table = voxel_axis_table(0, 3, 1.0, 77.0, 2, STRETCH, CPU)  # a wavelength that no other test has asked for
        wavelengths = octave_wavelengths(78.0, 2, CPU)
    assert not any(tensor.is_inference() for tensor in (*table, wavelengths))
