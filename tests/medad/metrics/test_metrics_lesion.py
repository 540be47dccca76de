# SPDX-License-Identifier: Apache-2.0
"""Lesions found and false findings on hand-made masks."""

import pytest
import torch
from medad.metrics import false_positive_components, lesion_detection, size_stratum
from medad.morphology import label_components


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, [True, False]), (0.2, [True, False]), (0.21, [False, False]), (1.0, [False, False])],
)
def test_lesion_is_found_from_the_fraction_on(dims: int, fraction: float, expected: list[bool]) -> None:
    truth = torch.zeros(20, 20)
    truth[2:4, 2:7] = 1
    truth[10:13, 10:13] = 1
    pred = torch.zeros(20, 20)
    pred[2, 2:4] = 1
    if dims == 3:
        truth, pred = truth[..., None], pred[..., None]
    sizes, detected = lesion_detection(label_components(truth), pred, fraction)
    assert sizes.tolist() == [10, 9]
    assert detected.tolist() == expected


def test_false_positive_components_touch_no_lesion() -> None:
    truth, pred = torch.zeros(16, 16), torch.zeros(16, 16)
    truth[0:4, 0:4] = 1
    pred[3:6, 3:6] = 1
    pred[8, 8] = pred[9, 9] = 1
    pred[15, 0] = 1
    assert false_positive_components(pred, truth) == 2
    assert false_positive_components(truth, pred) == 0
    assert false_positive_components(torch.zeros(4, 4), torch.ones(4, 4)) == 0
    assert false_positive_components(torch.ones(4, 4), torch.zeros(4, 4)) == 1


def test_strata_start_at_their_edge() -> None:
    assert size_stratum(torch.tensor([1, 9, 10, 99, 100, 5000])).tolist() == [0, 0, 1, 1, 2, 3]
    assert size_stratum(torch.tensor([1, 5]), ()).tolist() == [0, 0]


def test_bad_arguments() -> None:
    lesions = label_components(torch.ones(3, 3))
    with pytest.raises(ValueError, match="fraction"):
        lesion_detection(lesions, torch.ones(3, 3), 1.5)
    with pytest.raises(ValueError, match="equal shapes"):
        lesion_detection(lesions, torch.ones(2, 3))
