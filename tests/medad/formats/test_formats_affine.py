# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats.affine import distance_between, require_invertible, shear_of


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.diag([1.0, 1, 0]), "voxel sizes of 1, 1, 0 mm"),
        (np.diag([1.0, 1, np.nan]), "voxel sizes of 1, 1, nan mm"),
        (np.diag([1e-300, 1, 1e300]), "voxel sizes of 0, 1, inf"),
        (np.ones((3, 3)), "singular"),
    ],
)
def test_affines_that_lead_nowhere(matrix, message):
    affine = np.eye(4)
    affine[:3, :3] = matrix
    with pytest.raises(InputError, match=message):
        require_invertible(affine, "x.nii", "sform")
    affine[:3, :3] = np.diag([2e-4, 3.0, -500.0])  # from a microscope to a satellite
    require_invertible(affine, "x.nii", "sform")


def test_distance_between_affines_is_that_of_the_farthest_corner():
    turned = np.diag([2.0, 2, -3, 1])
    assert distance_between(np.diag([2.0, 2, 3, 1]), turned, (4, 4, 11)) == 2 * 3 * 10
    assert distance_between(turned, turned, (4, 4)) == 0


@pytest.mark.parametrize("shape", [(8, 8, 11), (8, 8)])
def test_shear_is_measured_where_there_is_one(shape):
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 2, 3])
    assert shear_of(affine, shape) < 1e-12
    affine[:3, 1] += 0.2 * affine[:3, 0]  # seven steps of 0.2 mm aside
    assert shear_of(affine, shape) == pytest.approx(1.4)
