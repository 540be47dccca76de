# SPDX-License-Identifier: Apache-2.0
"""Pictures of a case: geometry, orientation, one color scale, contours, circles."""

from itertools import permutations, product
from typing import Any

import matplotlib
import nibabel
import numpy as np
import pytest
import torch
from medad.report import draw_case
from medad.report.case_pictures import ViewPictures
from medad.report.panels import DETECTION_COLOR, MASK_COLOR, TRUTH_COLOR, color_table
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def only(views: list[ViewPictures]) -> dict[str, np.ndarray]:
    (view,) = views
    return view.images


def arrays(*spatial: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((1, *spatial), dtype=np.float32), rng.random((1, *spatial), dtype=np.float32)


@pytest.mark.parametrize(
    ("channels", "spatial", "expected"),
    [
        (1, (40, 20), (48, 96, 3)),
        (3, (20, 40), (96, 48, 3)),
        (1, (30, 30, 5), (96, 96, 3)),
        (4, (8, 8, 1), (96, 96, 3)),
    ],
)
def test_shapes_and_types(channels: int, spatial: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """x is the picture's columns, so its width."""
    image, anomaly_map = arrays(*spatial)
    image = np.repeat(image, channels, axis=0)
    views = draw_case(image, anomaly_map, map_max=1.0, reconstruction=image, mask=anomaly_map > 2, size=96)
    assert len(views) == (3 if len(spatial) == 3 and spatial[2] > 1 else 1)
    for view in views:
        assert list(view.images) == ["input", "reconstruction", "anomaly_map", "contours"]
        assert {picture.shape for picture in view.images.values()} == {expected}
        assert {picture.dtype for picture in view.images.values()} == {np.dtype(np.uint8)}
        assert (view.slice_count is None) == (len(views) == 1) and view.plane == ""


def test_orientation_x_is_columns_y_is_rows() -> None:
    anomaly_map = np.zeros((1, 16, 16), np.float32)
    anomaly_map[0, 14, 1] = 1  # right, top
    drawn = only(draw_case(anomaly_map, anomaly_map, map_max=1.0, size=16))
    for name in ("input", "anomaly_map"):
        row, column = np.unravel_index(np.argmax(drawn[name].sum(-1)), (16, 16))
        assert (row, column) == (1, 14)


def test_map_colors_are_matplotlibs_on_a_fixed_scale() -> None:
    anomaly_map = np.full((1, 8, 8), 0.5, np.float32)
    alone = only(draw_case(anomaly_map, anomaly_map, map_max=1.0, size=8))["anomaly_map"]
    with_peak = anomaly_map.copy()
    with_peak[0, 7, 7] = 40
    beside = only(draw_case(anomaly_map, with_peak, map_max=1.0, size=8))["anomaly_map"]
    expected = 255 * np.array(matplotlib.colormaps["inferno"](0.5)[:3])
    assert np.abs(alone[0, 0] - expected).max() <= 2
    np.testing.assert_array_equal(alone[0, 0], beside[0, 0])  # no min-max per image
    np.testing.assert_array_equal(beside[7, 7], color_table()[-1])
    assert len(np.unique(color_table(), axis=0)) > 250


def test_map_that_is_not_finite_is_drawn() -> None:
    anomaly_map = np.zeros((1, 8, 8), np.float32)
    anomaly_map[0, 2, 3], anomaly_map[0, 5, 5] = np.nan, np.inf
    drawn = only(draw_case(np.full((1, 8, 8), np.nan), anomaly_map, map_max=1.0, size=8))
    np.testing.assert_array_equal(drawn["anomaly_map"][3, 2], color_table()[0])
    np.testing.assert_array_equal(drawn["anomaly_map"][5, 5], color_table()[-1])


def test_input_and_reconstruction_share_the_window_of_the_input() -> None:
    image = np.linspace(0, 100, 400, dtype=np.float32).reshape(1, 20, 20)
    drawn = only(draw_case(image, image, map_max=1.0, reconstruction=np.full_like(image, 50), size=20))
    assert drawn["input"].min() == 0
    assert drawn["input"].max() == 255
    assert np.abs(drawn["reconstruction"].astype(int) - 128).max() <= 2


def test_three_channels_are_colors() -> None:
    image = np.zeros((3, 8, 8), np.float32)
    image[0, :4] = 1
    picture = only(draw_case(image, image[:1], map_max=1.0, size=8))["input"]
    np.testing.assert_array_equal(picture[4, 1], [255, 0, 0])


def test_lesion_of_one_pixel_survives_shrinking() -> None:
    image, anomaly_map = arrays(500, 500)
    truth = np.zeros((1, 500, 500), np.uint8)
    truth[0, 251, 103] = 1
    picture = only(draw_case(image, anomaly_map, map_max=1.0, truth=truth, size=64))["contours"]
    assert (picture == TRUTH_COLOR).all(-1).any()


def test_in_plane_grids_may_differ() -> None:
    image, _ = arrays(16, 16)
    _, anomaly_map = arrays(60, 30)
    drawn = only(draw_case(image, anomaly_map, map_max=1.0, reconstruction=image, size=60))
    assert {picture.shape for picture in drawn.values()} == {(30, 60, 3)}


def test_tensors_are_taken() -> None:
    image = torch.rand(1, 8, 8, requires_grad=True)
    drawn = only(draw_case(image, image, map_max=1.0, mask=image > 0.5, size=8))
    same = only(draw_case(image.detach().numpy(), image.detach().numpy(), map_max=1.0, size=8))
    np.testing.assert_array_equal(drawn["input"], same["input"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"map_max": 0.0}, "map_max"),
        ({"map_max": float("nan")}, "map_max"),
        ({"size": 0}, "size"),
        ({"mask": np.ones((1, 8, 8, 3))}, "mask"),
        ({"affine": np.eye(3)}, "affine"),
        ({"image": np.ones((8, 8))}, "image"),
        ({"image": np.ones((1, 0, 8))}, "image"),
    ],
)
def test_bad_arguments(change: dict[str, object], message: str) -> None:
    image, anomaly_map = arrays(8, 8)
    arguments = {"image": image, "anomaly_map": anomaly_map, "map_max": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        draw_case(**arguments)


@pytest.mark.parametrize("cut", [np.s_[..., :3], np.s_[:, :5]])
def test_other_shape_of_a_volume_is_an_error(cut: tuple[Any, ...]) -> None:
    image, anomaly_map = arrays(8, 8, 4)
    with pytest.raises(ValueError, match="shape must agree"):
        draw_case(image[cut], anomaly_map, map_max=1.0)


def test_picture_of_one_pixel() -> None:
    one = np.ones((1, 1, 1), np.float32)
    drawn = only(draw_case(one, one, map_max=1.0, mask=one, truth=one, size=1, oriented=True))
    assert all(picture.shape == (1, 1, 3) for picture in drawn.values())


def distances(picture: np.ndarray, color: tuple[int, int, int], x: float, y: float) -> np.ndarray:
    """Distances from a point to the pixels of a color."""
    rows, columns = (picture == color).all(-1).nonzero()
    return np.hypot(columns - x, rows - y)


def test_circles_are_drawn_where_they_are() -> None:
    anomaly_map = np.zeros((1, 30, 20), np.float32)  # 6 pixels of the picture per voxel
    circles, detections = [[10.0, 4.0, 3.0]], [[22.0, 15.0, 2.0], [3.0, 16.0, 0.1]]
    drawn = only(draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=circles, detections=detections, size=180))
    truth = distances(drawn["contours"], TRUTH_COLOR, 6 * 10.5 - 0.5, 6 * 4.5 - 0.5)
    assert len(truth) > 80 and np.abs(truth - 18).max() < 2.5
    found = distances(drawn["contours"], DETECTION_COLOR, 6 * 22.5 - 0.5, 6 * 15.5 - 0.5)
    near = found[found < 40]
    assert len(near) > 50 and np.abs(near - 12).max() < 2.5
    small = distances(drawn["contours"], DETECTION_COLOR, 6 * 3.5 - 0.5, 6 * 16.5 - 0.5)
    assert np.abs(small[small < 20] - 4).max() < 2.5  # never too small to be seen
    assert not distances(drawn["input"], DETECTION_COLOR, 0, 0).size


def test_balls_are_cut_by_the_slice_that_is_shown() -> None:
    anomaly_map = np.zeros((1, 40, 40, 12), np.float32)
    anomaly_map[..., 1] = 1
    balls = np.array([[10.0, 20.0, 3.0, 2.0], [20.0, 20.0, 8.3, 5.0]])
    found = [[20.0, 20.0, 11.0, 5.0], [5.0, 5.0, 2.0, 2.0]]
    drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=balls, detections=found, size=160)[0]
    assert (drawn.slice_index, drawn.slice_count) == (8, 12)
    lengths = distances(drawn.images["contours"], DETECTION_COLOR, 4 * 20.5 - 0.5, 4 * 20.5 - 0.5)
    assert len(lengths) > 50 and np.abs(lengths - 4 * 4).max() < 2.5  # 3 slices off a ball of radius 5: radius 4
    for depth, seen in ((8.4, True), (8.6, False)):  # a point between two slices is seen in the nearer one
        point = [[20.0, 20.0, depth, 0.1]]
        drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=balls, detections=point, size=160)[0]
        assert bool(distances(drawn.images["contours"], DETECTION_COLOR, 0, 0).size) == seen


def test_no_detection_still_shows_the_picture() -> None:
    image, anomaly_map = arrays(8, 8)
    assert "contours" in only(draw_case(image, anomaly_map, map_max=1.0, detections=torch.zeros(0, 3)))
    assert "contours" not in only(draw_case(image, anomaly_map, map_max=1.0))
    with pytest.raises(ValueError, match=r"detections must be \(n, 3\)"):
        draw_case(image, anomaly_map, map_max=1.0, detections=[[1.0, 2.0, 3.0, 4.0]])


CODES = ["".join(c) for order in permutations(("LR", "PA", "IS")) for c in product(*order)]
SHAPE = (15, 18, 12)


def head() -> dict[str, np.ndarray]:
    """A volume indexed (left, back, up) that looks different from all sides, with all that is drawn of it."""
    i, j, k = np.indices(SHAPE)
    ball = ((i - 7) / 6) ** 2 + ((j - 9) / 8) ** 2 + ((k - 6) / 5) ** 2 < 1
    image = (ball * (100 + 7.3 * i + 3.1 * j + 11.7 * k)).astype(np.float32)
    image[10:13, 4:6, 8:10] += 300
    rng = np.random.default_rng(0)
    anomaly_map = (ball * rng.random(SHAPE)).astype(np.float32)
    mask, truth = anomaly_map > 0.9, np.zeros(SHAPE, bool)
    truth[9:12, 4:7, 7:9], truth[3:5, 12:15, 2:4] = True, True
    volumes = {"image": image, "anomaly_map": anomaly_map, "reconstruction": 0.9 * image, "mask": mask, "truth": truth}
    balls = np.array([[10.0, 5.0, 8.0, 2.5], [3.3, 11.8, 3.1, 1.2]])
    return {**{name: volume[None] for name, volume in volumes.items()}, "circles": balls, "detections": balls + 0.25}


def stored(arrays: dict[str, np.ndarray], codes: str, spacing: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """The same in a file whose axes run to other directions."""
    affine = LPS @ np.diag([*spacing, 1.0])
    turn = ornt_transform(axcodes2ornt("LPS"), axcodes2ornt(codes))
    to_lps = inv_ornt_aff(turn, SHAPE)
    turned = {
        name: np.column_stack([nibabel.affines.apply_affine(np.linalg.inv(to_lps), array[:, :3]), array[:, 3]])
        if array.ndim == 2
        else np.ascontiguousarray(apply_orientation(array[0], turn))[None]
        for name, array in arrays.items()
    }
    return {**turned, "affine": affine @ to_lps}


@pytest.mark.parametrize(
    ("spacing", "by_slices", "planes"),
    [
        ((1.0, 1.0, 1.0), False, ["Axial", "Coronal", "Sagittal"]),
        ((1.0, 1.0, 1.0), True, ["Axial"] * 3),
        ((0.9, 1.1, 5.0), False, ["Axial"] * 3),
        ((4.0, 0.7, 0.7), False, ["Sagittal"] * 3),
        ((0.7, 0.9, 1.3), False, ["Axial", "Coronal", "Sagittal"]),
    ],
)
def test_pictures_do_not_depend_on_the_axes_of_the_file(
    spacing: tuple[float, float, float], by_slices: bool, planes: list[str]
) -> None:
    assert len(CODES) == 48
    options: dict[str, Any] = {"map_max": 1.0, "oriented": True, "by_slices": by_slices, "size": 96}
    expected = draw_case(**stored(head(), "LPS", spacing), **options)
    assert [view.plane for view in expected] == planes
    assert {MASK_COLOR, TRUTH_COLOR} <= set(map(tuple, expected[0].images["contours"].reshape(-1, 3)))
    for codes in CODES:
        views = draw_case(**stored(head(), codes, spacing), **options)
        assert [view.plane for view in views] == planes
        for view, other in zip(views, expected, strict=True):
            assert list(view.images) == ["input", "reconstruction", "anomaly_map", "contours"]
            for name, picture in view.images.items():
                np.testing.assert_array_equal(picture, other.images[name], err_msg=f"{codes} {view.plane} {name}")
            across = {"Sagittal": "LR", "Coronal": "PA", "Axial": "IS"}[view.plane]
            runs_back = any(code in "RAI" for code in codes if code in across)
            place = other.slice_count - 1 - other.slice_index if runs_back else other.slice_index
            assert (view.slice_index, view.slice_count) == (place, other.slice_count)


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("plane", [0, 1, 2])
def test_a_single_slice_is_turned_by_its_affine(codes: str, plane: int) -> None:
    """As a volume of one slice, in any orientation, and as a flat file whose third axis only its affine knows."""
    image = np.take(head()["image"], [8], axis=plane + 1)
    options: dict[str, Any] = {"map_max": 300.0, "oriented": True, "size": 48}
    affine = LPS.copy()
    expected = draw_case(image, image, affine=affine, **options)[0]
    turn = ornt_transform(axcodes2ornt("LPS"), axcodes2ornt(codes))
    turned, affine = apply_orientation(image[0], turn)[None], affine @ inv_ornt_aff(turn, image.shape[1:])
    volume = draw_case(turned, turned, affine=affine, **options)
    np.testing.assert_array_equal(only(volume)["input"], expected.images["input"])
    assert (volume[0].plane, volume[0].slice_index) == (["Sagittal", "Coronal", "Axial"][plane], None)
    if turned.shape[3] == 1:
        flat = turned[..., 0]
        np.testing.assert_array_equal(
            only(draw_case(flat, flat, affine=affine, **options))["input"], only(volume)["input"]
        )


@pytest.mark.parametrize(
    ("marked", "row", "column"),
    [("left", 0.5, 1), ("front", 0, 0.5), ("head", 0, 0.5)],
)
def test_radiological_convention(marked: str, row: float, column: float) -> None:
    """The patient's left is on the right, the front on top; in a coronal picture the head is on top."""
    volume = np.zeros((1, 11, 11, 11), np.float32)  # RAS
    volume[0][{"left": (0, 5, 5), "front": (5, 10, 5), "head": (5, 5, 10)}[marked]] = 1
    truth = np.zeros_like(volume)
    truth[0, 5, 5, 5] = 1
    views = draw_case(volume, volume, map_max=1.0, truth=truth, affine=np.eye(4), oriented=True, size=11)
    seen = {view.plane: np.argwhere(view.images["input"].any(-1)).tolist() for view in views}
    place = [[round(10 * row), round(10 * column)]]
    expected = {
        "left": {"Axial": place, "Coronal": place, "Sagittal": []},
        "front": {"Axial": place, "Coronal": [], "Sagittal": [[5, 0]]},
        "head": {"Axial": [], "Coronal": place, "Sagittal": place},
    }
    assert {name: at for name, at in seen.items()} == expected[marked]


def test_letters_are_beside_the_picture_and_only_where_the_orientation_is_known() -> None:
    volumes = stored(head(), "RAS", (1.0, 1.0, 1.0))
    plain = draw_case(**volumes, map_max=1.0, size=168)[0]
    named = draw_case(**volumes, map_max=1.0, by_slices=True, oriented=True, size=192)[0]
    assert (plain.plane, named.plane) == ("", "Axial")
    for name, picture in named.images.items():
        assert picture.shape == (192, 164, 3)
        np.testing.assert_array_equal(picture[12:-12, 12:-12], plain.images[name])
        frame = picture.copy()
        frame[12:-12, 12:-12] = 0
        rows, columns = frame.any(-1).nonzero()
        for edge in (rows < 12, rows >= 180, columns < 12, columns >= 152):
            assert 8 < edge.sum() < 100  # a letter


def test_an_oblique_axis_counts_as_the_closest_one() -> None:
    turn, volumes = np.eye(4), stored(head(), "RAS", (1.0, 1.0, 5.0))
    angle = np.deg2rad(17)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    straight = draw_case(**volumes, map_max=1.0, oriented=True, size=96)
    oblique = draw_case(**{**volumes, "affine": turn @ volumes["affine"]}, map_max=1.0, oriented=True, size=96)
    for view, other in zip(oblique, straight, strict=True):
        np.testing.assert_array_equal(view.images["contours"], other.images["contours"])


@pytest.mark.parametrize(
    ("shape", "spacing", "expected", "scale"),
    [
        ((1, 30, 12), (3.0, 1.0, 5.0), (120, 60), 2),  # a sagittal slice: 30 mm deep, 60 mm high
        ((20, 1, 10), (1.0, 2.0, 4.0), (120, 60), 3),
        ((20, 30, 1), (2.0, 1.0, 9.0), (90, 120), 3),
    ],
)
def test_voxels_are_as_large_as_they_are(
    shape: tuple[int, ...], spacing: tuple[float, ...], expected: tuple[int, int], scale: int
) -> None:
    image, anomaly_map = arrays(*shape)
    truth = np.zeros_like(image)
    affine = LPS @ np.diag([*spacing, 1.0])
    circle = [[(shape[0] - 1) / 2, (shape[1] - 1) / 2, (shape[2] - 1) / 2, 2.0]]
    drawn = only(draw_case(image, anomaly_map, map_max=1.0, affine=affine, truth=truth, circles=circle, size=120))
    assert {picture.shape[:2] for picture in drawn.values()} == {expected}
    rows, columns = (drawn["contours"] == TRUTH_COLOR).all(-1).nonzero()
    columns_mm, rows_mm = {0: spacing[1:], 1: spacing[::2], 2: spacing[:2]}[shape.index(1)]
    assert np.ptp(columns) == pytest.approx(4 * columns_mm * scale, abs=2)
    assert np.ptp(rows) == pytest.approx(4 * rows_mm * scale, abs=2)


def test_planes_of_a_case_have_one_scale() -> None:
    image, anomaly_map = arrays(20, 30, 10)
    views = draw_case(image, anomaly_map, map_max=1.0, affine=LPS, oriented=True, size=84 + 2 * 6)
    assert [view.images["input"].shape[:2] for view in views] == [(96, 68), (40, 68), (40, 96)]


def test_a_stack_of_unknown_orientation_is_shown_slice_by_slice_as_it_is() -> None:
    image = np.zeros((1, 16, 16, 9), np.float32)
    image[0, 14, 1] = 1  # right, top
    views = draw_case(image, image, map_max=1.0, size=16)
    assert [view.plane for view in views] == [""] * 3 and len({view.slice_index for view in views}) == 3
    for view in views:
        assert np.argwhere(view.images["input"].any(-1)).tolist() == [[1, 14]]
