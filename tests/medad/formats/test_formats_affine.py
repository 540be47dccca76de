# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats.affine import require_invertible


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
