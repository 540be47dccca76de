# SPDX-License-Identifier: Apache-2.0
"""Turns: from the axes of a file to columns, rows and slices, for volumes and for points."""

import nibabel
import numpy as np
import pytest
from medad.report.turn import Turn, axes_of_body

AFFINE = np.array([[0.0, 0, -5, 7], [2, 0, 0, 1], [0, 1, 0, 4], [0, 0, 0, 1]])
"""x runs to the front, y upwards, z to the left."""
SHAPE = (3, 4, 6)


@pytest.mark.parametrize(
    ("plane", "letters", "shape", "size"),
    [
        (0, ("A", "P", "S", "I"), (3, 4, 6), (2, 1, 5)),
        (1, ("R", "L", "S", "I"), (6, 4, 3), (5, 1, 2)),
        (2, ("R", "L", "A", "P"), (6, 3, 4), (5, 2, 1)),
    ],
)
def test_geometry_of_a_plane(
    plane: int, letters: tuple[str, ...], shape: tuple[int, ...], size: tuple[float, ...]
) -> None:
    """Letters of the left, right, upper and lower edge."""
    turn = Turn(AFFINE, SHAPE, plane)
    assert (turn.letters, turn.shape, tuple(turn.voxel_size)) == (letters, shape, size)


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_volumes_and_points_turn_alike(plane: int) -> None:
    turn, volume = Turn(AFFINE, SHAPE, plane), np.zeros((2, *SHAPE))
    volume[1, 2, 1, 3] = 1
    turned = turn.array(volume)
    assert turned.shape == (2, *turn.shape) and np.shares_memory(turned, volume)
    ((channel, *voxel),) = np.argwhere(turned)
    assert channel == 1
    np.testing.assert_array_equal(turn.points(np.array([[2.0, 1, 3, 0.7]])), [[*voxel, 0.7]])
    assert turn.voxel_of_file(tuple(voxel)) == (2, 1, 3)
    assert turn.index_of((2, 1, 3)) == voxel[2]
    assert turn.index_in_file(voxel[2]) == {0: 3, 1: 2, 2: 1}[plane]


def test_a_turn_is_that_of_nibabel() -> None:
    image = nibabel.Nifti1Image(np.random.default_rng(0).random(SHAPE), AFFINE)
    lps = image.as_reoriented(nibabel.orientations.ornt_transform(
        nibabel.io_orientation(AFFINE), nibabel.orientations.axcodes2ornt("LPS")
    ))  # fmt: skip
    np.testing.assert_array_equal(Turn(AFFINE, SHAPE, 2).array(image.get_fdata()[None])[0], lps.get_fdata())
    assert axes_of_body(AFFINE) == [1, 2, 0]
