# SPDX-License-Identifier: Apache-2.0
import numpy as np
from medad.formats.image_array import LPS_TO_RAS, ImageArray


def test_channels_are_no_space() -> None:
    array = np.zeros((4, 3, 2))
    assert ImageArray(array, "a").spatial_shape == (4, 3, 2)
    assert ImageArray(array, "a", has_channels=True).spatial_shape == (4, 3)


def test_without_geometry_x_runs_to_the_left_and_y_to_the_back() -> None:
    first, second = ImageArray(np.zeros((4, 3)), "a"), ImageArray(np.zeros((4, 3)), "b")
    np.testing.assert_array_equal(first.affine @ [2, 1, 0, 1], [-2, -1, 0, 1])  # RAS
    first.affine[0, 3] = 5
    assert second.affine[0, 3] == LPS_TO_RAS[0, 3] == 0  # each has its own
