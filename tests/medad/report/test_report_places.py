# SPDX-License-Identifier: Apache-2.0
"""Places: the truth first, lesions that are seen once, slices that keep their distance."""

import numpy as np
from medad.report.places import APART, Evidence, choose_place, choose_slices

ZEROS = np.zeros((1, 20, 20, 30), np.float32)


def slices(*arrays: np.ndarray | None) -> list[int]:
    return choose_slices(Evidence(*arrays))


def place(*arrays: np.ndarray | None) -> tuple[int, int, int]:
    return choose_place(Evidence(*arrays))


def blocks(*blocks_: tuple[int, int, int], value: float = 1.0) -> np.ndarray:
    """Marked squares: edge, first slice, end."""
    volume = ZEROS.copy()
    for number, (edge, first, end) in enumerate(blocks_):
        volume[0, 6 * number : 6 * number + edge, :edge, first:end] = value
    return volume


def test_first_the_slice_with_most_truth_then_mask_then_map() -> None:
    anomaly_map, mask, truth = blocks((2, 4, 5)), blocks((3, 12, 13)), blocks((4, 25, 26))
    assert slices(anomaly_map, mask, truth) == [25, 12, 4]
    assert slices(anomaly_map, mask, ZEROS) == [12, 4, 16] == slices(anomaly_map, mask)
    assert slices(anomaly_map)[0] == 4
    balls = np.array([[5.0, 5.0, 20.3, 3.0]])
    assert slices(anomaly_map, mask, truth, balls)[0] == 25
    assert slices(anomaly_map, mask, ZEROS, balls) == [20, 12, 4] == slices(anomaly_map, mask, None, balls)


def test_every_true_lesion_is_shown_before_anything_else() -> None:
    truth = blocks((4, 5, 9), (3, 9, 12), (2, 10, 14))  # the last two are seen together
    chosen = slices(blocks((5, 25, 28)), None, truth)
    assert 5 <= chosen[0] < 9 and 10 <= chosen[1] < 12 and chosen[2] in (25, 26, 27)
    long = blocks((4, 0, 30))
    assert slices(blocks((5, 25, 28)), None, long)[1] in (25, 26, 27)  # one long lesion is seen once


def test_a_predicted_lesion_is_shown_once_and_apart_from_the_truth() -> None:
    truth = blocks((4, 5, 9))
    mask = blocks((4, 6, 12), (3, 10, 11), (2, 20, 22))
    first, second, third = slices(blocks((1, 0, 1), value=9), mask, truth)
    assert 5 <= first < 9 and second in (20, 21) and third == 0


def test_slices_keep_their_distance() -> None:
    anomaly_map = ZEROS + np.exp(-(((np.arange(30) - 12) / 6) ** 2)).astype(np.float32)
    chosen = slices(anomaly_map)
    assert chosen[0] == 12 and len(chosen) == 3
    assert min(abs(np.diff(sorted(chosen)))) == round(APART * 30) == 4


def test_few_slices_and_an_empty_map() -> None:
    assert slices(ZEROS[..., :1]) == [0]
    assert sorted(slices(ZEROS[..., :2])) == [0, 1]
    assert sorted(slices(ZEROS[..., :3])) == [0, 1, 2]
    for depth in range(3, 40):
        chosen = slices(np.zeros((1, 2, 2, depth)))
        assert len(set(chosen)) == 3 and chosen[0] == (depth - 1) // 2
    broken = np.full_like(ZEROS, np.nan)
    broken[0, 3, 3, 7] = np.inf
    assert slices(broken)[0] == 7


def test_balls_beyond_the_volume_and_between_slices() -> None:
    assert slices(ZEROS, None, None, np.array([[0.0, 0.0, 40.0, 1.0]]))[0] == 29
    assert slices(ZEROS, None, None, np.array([[0.0, 0.0, 3.5, 0.1]]))[0] in (3, 4)
    two = np.array([[5.0, 5.0, 3.0, 2.0], [5.0, 5.0, 22.0, 4.0]])
    assert slices(ZEROS, None, None, two)[:2] == [22, 3]


def test_a_place_lies_in_the_largest_lesion() -> None:
    anomaly_map = ZEROS.copy()
    anomaly_map[0, 3, 4, 5] = 2
    mask = blocks((4, 10, 14))
    truth = ZEROS.copy()
    truth[0, 2:12, 2:12, 8:20], truth[0, 5:9, 5:12, 8:20] = 1, 0  # open on one side: its center is no part of it
    truth[0, 15:17, 15:17, 2:4] = 1
    i, j, k = place(anomaly_map, mask, truth)
    assert truth[0, i, j, k] and i < 13
    i, j, k = place(anomaly_map, mask, ZEROS)
    assert mask[0, i, j, k]
    assert place(anomaly_map, ZEROS, ZEROS) == (3, 4, 5)
    assert place(anomaly_map, mask, None, np.array([[1.0, 2.2, 40.0, 3.0], [9.0, 9, 9, 1]])) == (1, 2, 29)
    assert place(np.full_like(ZEROS, np.nan)) == (0, 0, 0)
