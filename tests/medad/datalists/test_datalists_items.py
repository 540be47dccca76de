# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from medad.datalists.items import describe, image_paths, make_item


def test_an_item_holds_what_is_known() -> None:
    assert make_item(Path("a.png")) == {"image": "a.png"}
    item = make_item(["a.png", "b.png"], 1, Path("m.png"))
    assert item == {"image": ["a.png", "b.png"], "label": 1, "mask": "m.png"}
    assert image_paths(item) == ["a.png", "b.png"] and image_paths({"image": "a.png"}) == ["a.png"]


def test_items_are_counted() -> None:
    items = [{"label": label, "subject_id": subject} for label, subject in ((0, "a"), (1, "a"), (None, "b"))]
    assert describe(items) == "3 (1 normal, 1 abnormal, 1 without label, 2 subjects)"
    assert describe([]) == "0 (0 normal, 0 abnormal, 0 subjects)"
