# SPDX-License-Identifier: Apache-2.0
"""Views: three planes of a volume with cubic voxels, three slices of any other."""

import numpy as np
import pytest
from medad.planes import PLANE_NAMES
from medad.report.places import Evidence
from medad.report.views import choose_views


def planes(
    spacing: tuple[float, ...], *, oriented: bool = True, by_slices: bool = False, slice_plane: str = "axial"
) -> str:
    views = choose_views(
        Evidence(np.zeros((1, 8, 9, 10))),
        np.diag([*spacing, 1.0]),
        oriented=oriented,
        by_slices=by_slices,
        slice_plane=slice_plane,
    )
    return "".join(PLANE_NAMES[view.turn.plane][0] for view in views)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((1.0, 1.0, 1.0), "ACS"),
        ((1.0, 1.0, 2.0), "ACS"),
        ((1.0, 1.0, 2.1), "AAA"),
        ((0.5, 0.5, 5.0), "AAA"),
        ((5.0, 0.5, 0.5), "SSS"),
        ((0.5, 5.0, 0.5), "CCC"),
    ],
)
def test_which_planes(spacing: tuple[float, ...], expected: str) -> None:
    assert planes(spacing) == expected
    assert planes(spacing, by_slices=True) == "AAA"
    assert planes(spacing, by_slices=True, slice_plane="coronal") == "CCC"
    assert planes(spacing, slice_plane="coronal") == planes(spacing)
    assert planes(spacing, oriented=False) == "AAA"


def test_three_planes_go_through_one_voxel() -> None:
    anomaly_map = np.zeros((1, 8, 9, 10))
    anomaly_map[0, 1, 2, 3] = 1
    affine = np.eye(4)[[2, 0, 1, 3]]  # x runs to the front, y upwards, z to the right
    views = choose_views(Evidence(anomaly_map), affine, oriented=True, by_slices=False)
    assert [view.turn.array(anomaly_map)[..., view.index].sum() for view in views] == [1, 1, 1]
    assert {PLANE_NAMES[view.turn.plane]: view.turn.index_in_file(view.index) for view in views} == {
        "Axial": 2,
        "Coronal": 1,
        "Sagittal": 3,
    }


def test_rounding_of_an_affine_is_no_anisotropy() -> None:
    assert planes((1.0, 1.0, 2.0 + 1e-9)) == "ACS"
