# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from medad.files import write_csv
from medad.handlers import unfinished


def test_batches_are_done_again_together(tmp_path: Path) -> None:
    cases = [{"case": name, "image": f"{name}.png"} for name in "abcdefg"]
    write_csv(tmp_path / "scores.csv", ("case", "score"), [{"case": name, "score": "1"} for name in "abcdfg"])
    for name in "abcdfg":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_mask.png").write_text("")
    todo = {size: unfinished(cases, tmp_path, resume=True, batch_size=size) for size in (1, 2, 3, 4)}
    assert {size: "".join(item["case"] for item in items) for size, items in todo.items()} == {
        1: "e", 2: "ef", 3: "def", 4: "efg"
    }  # fmt: skip


def test_unfinished_needs_row_and_mask(tmp_path: Path) -> None:
    cases = [{"case": name} for name in "abcd"]
    write_csv(tmp_path / "scores.csv", ("case", "score"), [{"case": name, "score": "1"} for name in "abc"])
    for name, file in (("a", "a_mask.png"), ("b", "b_anomaly_map.npy"), ("d", "d_mask.png")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("")
    assert [item["case"] for item in unfinished(cases, tmp_path, resume=True)] == ["b", "c", "d"]
    assert unfinished(cases, tmp_path, resume=False) == cases
