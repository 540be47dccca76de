# SPDX-License-Identifier: Apache-2.0
"""Panels: geometry, one color scale, contours, choice of the slice."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from medad.report import draw_case
from medad.report.panels import (
    DETECTION_COLOR,
    MASK_COLOR,
    TRUTH_COLOR,
    choose_slice,
    color_table,
    display_window,
    draw_contours,
    encode_jpeg,
)
from PIL import Image


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
    drawn = draw_case(image, anomaly_map, map_max=1.0, reconstruction=image, mask=anomaly_map > 2, size=96)
    assert list(drawn.images) == ["input", "reconstruction", "anomaly_map", "contours"]
    for picture in drawn.images.values():
        assert picture.shape == expected
        assert picture.dtype == np.uint8
    assert (drawn.slice_count is None) == (len(spatial) == 2)


def test_orientation_x_is_columns_y_is_rows() -> None:
    anomaly_map = np.zeros((1, 16, 16), np.float32)
    anomaly_map[0, 14, 1] = 1  # right, top
    drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, size=16)
    for name in ("input", "anomaly_map"):
        row, column = np.unravel_index(np.argmax(drawn.images[name].sum(-1)), (16, 16))
        assert (row, column) == (1, 14)


def test_map_colors_are_matplotlibs_on_a_fixed_scale() -> None:
    anomaly_map = np.full((1, 8, 8), 0.5, np.float32)
    alone = draw_case(anomaly_map, anomaly_map, map_max=1.0, size=8).images["anomaly_map"]
    with_peak = anomaly_map.copy()
    with_peak[0, 7, 7] = 40
    beside = draw_case(anomaly_map, with_peak, map_max=1.0, size=8).images["anomaly_map"]
    expected = 255 * np.array(matplotlib.colormaps["inferno"](0.5)[:3])
    assert np.abs(alone[0, 0] - expected).max() <= 2
    np.testing.assert_array_equal(alone[0, 0], beside[0, 0])  # no min-max per image
    np.testing.assert_array_equal(beside[7, 7], color_table()[-1])
    assert len(np.unique(color_table(), axis=0)) > 250


def test_map_that_is_not_finite_is_drawn() -> None:
    anomaly_map = np.zeros((1, 8, 8), np.float32)
    anomaly_map[0, 2, 3], anomaly_map[0, 5, 5] = np.nan, np.inf
    drawn = draw_case(np.full((1, 8, 8), np.nan), anomaly_map, map_max=1.0, size=8).images
    np.testing.assert_array_equal(drawn["anomaly_map"][3, 2], color_table()[0])
    np.testing.assert_array_equal(drawn["anomaly_map"][5, 5], color_table()[-1])


def test_input_and_reconstruction_share_the_window_of_the_input() -> None:
    image = np.linspace(0, 100, 400, dtype=np.float32).reshape(1, 20, 20)
    drawn = draw_case(image, image, map_max=1.0, reconstruction=np.full_like(image, 50), size=20).images
    assert drawn["input"].min() == 0
    assert drawn["input"].max() == 255
    assert np.abs(drawn["reconstruction"].astype(int) - 128).max() <= 2


def test_three_channels_are_colors() -> None:
    image = np.zeros((3, 8, 8), np.float32)
    image[0, :4] = 1
    picture = draw_case(image, image[:1], map_max=1.0, size=8).images["input"]
    np.testing.assert_array_equal(picture[4, 1], [255, 0, 0])


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


def test_lesion_of_one_pixel_survives_shrinking() -> None:
    image, anomaly_map = arrays(500, 500)
    truth = np.zeros((1, 500, 500), np.uint8)
    truth[0, 251, 103] = 1
    picture = draw_case(image, anomaly_map, map_max=1.0, truth=truth, size=64).images["contours"]
    assert (picture == TRUTH_COLOR).all(-1).any()


def test_slice_with_most_truth_then_mask_then_map() -> None:
    anomaly_map, mask, truth = (np.zeros((1, 8, 8, 6), np.float32) for _ in range(3))
    anomaly_map[..., 4] = 1
    mask[0, :3, :3, 2] = 1
    truth[0, :2, :2, 1] = 1
    truth[0, :4, :4, 5] = 1
    assert choose_slice(anomaly_map, mask, truth) == 5
    assert choose_slice(anomaly_map, mask, np.zeros_like(truth)) == 2
    assert choose_slice(anomaly_map, mask) == 2
    assert choose_slice(anomaly_map) == 4
    assert choose_slice(anomaly_map[..., 0]) is None
    drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, size=16)
    assert (drawn.slice_index, drawn.slice_count) == (4, 6)
    np.testing.assert_array_equal(drawn.images["anomaly_map"][3, 3], color_table()[-1])  # that slice is the one drawn


def test_in_plane_grids_may_differ() -> None:
    image, _ = arrays(16, 16)
    _, anomaly_map = arrays(60, 30)
    drawn = draw_case(image, anomaly_map, map_max=1.0, reconstruction=image, size=60)
    assert {picture.shape for picture in drawn.images.values()} == {(30, 60, 3)}


def test_tensors_are_taken() -> None:
    image = torch.rand(1, 8, 8, requires_grad=True)
    drawn = draw_case(image, image, map_max=1.0, mask=image > 0.5, size=8)
    same = draw_case(image.detach().numpy(), image.detach().numpy(), map_max=1.0, size=8)
    np.testing.assert_array_equal(drawn.images["input"], same.images["input"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"map_max": 0.0}, "map_max"),
        ({"map_max": float("nan")}, "map_max"),
        ({"size": 0}, "size"),
        ({"mask": np.ones((1, 8, 8, 3))}, "mask"),
        ({"image": np.ones((8, 8))}, "image"),
        ({"image": np.ones((1, 0, 8))}, "image"),
    ],
)
def test_bad_arguments(change: dict[str, object], message: str) -> None:
    image, anomaly_map = arrays(8, 8)
    arguments = {"image": image, "anomaly_map": anomaly_map, "map_max": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        draw_case(**arguments)


def test_other_number_of_slices_is_an_error() -> None:
    image, anomaly_map = arrays(8, 8, 4)
    with pytest.raises(ValueError, match="slices"):
        draw_case(image[..., :3], anomaly_map, map_max=1.0)


def test_jpeg_round_trip() -> None:
    picture = np.full((20, 30, 3), (200, 40, 90), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(picture))))
    assert np.abs(decoded.astype(int) - picture).max() <= 4


def test_picture_of_one_pixel() -> None:
    one = np.ones((1, 1, 1), np.float32)
    drawn = draw_case(one, one, map_max=1.0, mask=one, truth=one, size=1)
    assert all(picture.shape == (1, 1, 3) for picture in drawn.images.values())


def distances(picture: np.ndarray, color: tuple[int, int, int], x: float, y: float) -> np.ndarray:
    """Distances from a point to the pixels of a color."""
    rows, columns = (picture == color).all(-1).nonzero()
    return np.hypot(columns - x, rows - y)


def test_circles_are_drawn_where_they_are() -> None:
    anomaly_map = np.zeros((1, 30, 20), np.float32)  # 6 pixels of the picture per voxel
    circles, detections = [[10.0, 4.0, 3.0]], [[22.0, 15.0, 2.0], [3.0, 16.0, 0.1]]
    drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=circles, detections=detections, size=180).images
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
    assert choose_slice(anomaly_map) == 1
    assert choose_slice(anomaly_map, None, None, balls) == 8  # the middle of the largest
    assert choose_slice(anomaly_map, None, None, np.array([[0.0, 0.0, 40.0, 1.0]])) == 11
    truth = np.zeros((1, 40, 40, 12), np.uint8)
    truth[..., 5] = 1
    assert choose_slice(anomaly_map, None, truth, balls) == 5
    found = [[20.0, 20.0, 11.0, 5.0], [5.0, 5.0, 2.0, 2.0]]
    drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=balls, detections=found, size=160)
    assert drawn.slice_index == 8
    lengths = distances(drawn.images["contours"], DETECTION_COLOR, 4 * 20.5 - 0.5, 4 * 20.5 - 0.5)
    assert len(lengths) > 50 and np.abs(lengths - 4 * 4).max() < 2.5  # 3 slices off a ball of radius 5: radius 4
    for depth, seen in ((8.4, True), (8.6, False)):  # a point between two slices is seen in the nearer one
        point = [[20.0, 20.0, depth, 0.1]]
        drawn = draw_case(anomaly_map, anomaly_map, map_max=1.0, circles=balls, detections=point, size=160)
        assert bool(distances(drawn.images["contours"], DETECTION_COLOR, 0, 0).size) == seen


def test_no_detection_still_shows_the_picture() -> None:
    image, anomaly_map = arrays(8, 8)
    assert "contours" in draw_case(image, anomaly_map, map_max=1.0, detections=torch.zeros(0, 3)).images
    assert "contours" not in draw_case(image, anomaly_map, map_max=1.0).images
    with pytest.raises(ValueError, match=r"detections must be \(n, 3\)"):
        draw_case(image, anomaly_map, map_max=1.0, detections=[[1.0, 2.0, 3.0, 4.0]])
