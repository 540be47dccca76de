# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest
from medad.datalists import class_weights, items_with_marked_lesions
from medad.errors import InputError

NORMAL: dict[str, Any] = {"image": "n.png", "case": "n", "label": 0, "mask": "old.png"}
MASKED = {"image": "m.png", "case": "m", "label": 1, "mask": "m_mask.png"}
CIRCLED = {"image": "c.png", "case": "c", "label": 1, "circles": [[1.0, 2.0, 3.0]]}
UNMARKED = {"image": "u.png", "case": "u", "label": 1, "mask": "", "circles": []}


def test_normal_images_have_empty_masks_and_unmarked_lesions_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    data = [MASKED, NORMAL, UNMARKED, CIRCLED]
    assert items_with_marked_lesions(data) == [{**NORMAL, "mask": ""}, MASKED, CIRCLED]
    assert "1 abnormal images without a mask or circles are left out: u" in caplog.text
    assert NORMAL["mask"] == "old.png"  # the data list is not changed


def test_classes_weigh_the_same() -> None:
    items = items_with_marked_lesions([NORMAL, NORMAL, NORMAL, NORMAL, MASKED, CIRCLED])
    assert class_weights(items) == [0.25] * 4 + [0.5] * 2


@pytest.mark.parametrize(
    ("data", "what"),
    [([MASKED, CIRCLED], "normal images"), ([NORMAL, UNMARKED], "abnormal images with a mask or circles")],
)
def test_both_classes_are_needed(data: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(InputError, match=f"no {what}.*training_abnormal"):
        items_with_marked_lesions(data)
