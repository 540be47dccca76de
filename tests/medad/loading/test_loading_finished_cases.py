# SPDX-License-Identifier: Apache-2.0
"""Which cases a resumed run leaves out, against lists made by hand."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from medad.errors import InputError
from medad.files import write_csv, write_json
from medad.handlers import unfinished
from medad.loading.case_fingerprint import case_fingerprints
from medad.loading.earlier_run import EarlierRun
from medad.loading.finished_cases import unfinished_cases


def make_items(folder: Path, names: str) -> list[dict[str, Any]]:
    items = [{"case": name, "image": str(folder / f"{name}.png")} for name in names]
    for item in items:
        Path(item["image"]).touch()
    return items


def write_run(
    folder: Path, items: Sequence[dict[str, Any]], finished: str, batch_size: int = 1, failed: str = ""
) -> None:
    """The folder of a run that was stopped."""
    write_json(folder / "run.json", EarlierRun({}, case_fingerprints(items), batch_size, 1).record())
    write_csv(folder / "scores.csv", ("case", "score"), [{"case": name, "score": "1"} for name in finished])
    write_csv(folder / "failures.csv", ("case", "failure"), [{"case": name, "failure": "x"} for name in failed])
    for name in finished:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{name}_mask.png").write_text("")


def to_do(items: Sequence[dict[str, Any]], folder: Path, batch_size: int = 1) -> str:
    return "".join(items[index]["case"] for index in unfinished_cases(items, folder, batch_size))


@pytest.mark.parametrize(("size", "todo"), [(1, "e"), (2, "ef"), (3, "def"), (4, "efg")])
def test_batches_are_done_again_together(tmp_path: Path, size: int, todo: str) -> None:
    items = make_items(tmp_path, "abcdefg")
    write_run(tmp_path / "out", items, "abcdfg", size)
    assert to_do(items, tmp_path / "out", size) == todo


def test_a_case_needs_row_mask_and_record(tmp_path: Path) -> None:
    items = make_items(tmp_path, "abcd")
    out = tmp_path / "out"
    assert to_do(items, out) == "abcd"
    write_run(out, items[:3], "abcd", failed="b")
    (out / "c" / "c_mask.png").rename(out / "c" / "c_anomaly_map.png")
    assert to_do(items, out) == "bcd"
    assert [item["case"] for item in unfinished(items, out, resume=True)] == ["b", "c", "d"]
    assert unfinished(items, out, resume=False) == items


def test_other_batches_are_done_again(tmp_path: Path) -> None:
    """A last bit of a map depends on its batch: a new image among the others moves those behind it."""
    items = make_items(tmp_path, "abcdef")
    out = tmp_path / "out"
    write_run(out, [item for item in items if item["case"] != "c"], "abdef", 2)
    assert to_do(items, out, 2) == "cdef"
    assert to_do(items, out, 1) == "abcdef"
    write_run(out, items, "abcdef", 2)
    assert to_do(items, out, 2) == ""
    assert to_do(items[:4] + make_items(tmp_path, "g"), out / "nothing", 2) == "abcdg"


def test_a_finished_case_keeps_its_files(tmp_path: Path) -> None:
    items = make_items(tmp_path, "abc")
    out = tmp_path / "out"
    write_run(out, items, "ab")
    with pytest.raises(InputError, match="the case 'a' is finished, but gone from the data"):
        to_do(items[1:], out)
    swapped = [{**items[0], "image": items[1]["image"]}, *items[1:]]
    with pytest.raises(InputError, match=r"the case 'a' is finished, but its files are others now.*overwrite"):
        to_do(swapped, out)
    os.utime(items[1]["image"], ns=(0, 0))
    with pytest.raises(InputError, match="the case 'b' is finished, but its files are others now"):
        to_do(items, out)


def test_what_is_not_finished_may_change(tmp_path: Path) -> None:
    items = make_items(tmp_path, "abcd")
    out = tmp_path / "out"
    write_run(out, items, "ab", failed="bc")
    for item in items[1:]:
        Path(item["image"]).write_text("repaired")
    assert to_do(items, out) == "bcd"
    assert to_do(items[:1], out) == ""


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cases": 5, "batch_size": 1, "processes": 1}', "\xff"])
def test_a_record_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, "latin-1")
    with pytest.raises(InputError, match="no usable record of a run"):
        unfinished_cases(make_items(tmp_path, "a"), tmp_path, 1)
