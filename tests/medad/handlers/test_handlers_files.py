# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from medad.handlers.files import atomic_path, read_csv, write_csv, write_json
from medad.handlers.unfinished import unfinished


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.json"
    write_json(target, {"version": 1})
    with pytest.raises(RuntimeError, match="killed"), atomic_path(target) as partial:
        partial.write_text("half")
        raise RuntimeError("killed")
    assert '"version": 1' in target.read_text()
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    case = tmp_path / "case"
    case.mkdir()
    (case / "old").write_text("")
    with atomic_path(case) as partial:
        partial.mkdir()
        (partial / "new").write_text("")
        assert (case / "old").exists()
    assert [path.name for path in case.iterdir()] == ["new"]


def test_csv_round_trip_and_missing_file(tmp_path: Path) -> None:
    rows = [{"case": "a, b", "score": "1"}, {"case": "ä", "score": ""}]
    write_csv(tmp_path / "t.csv", ("case", "score"), rows)
    assert read_csv(tmp_path / "t.csv") == rows
    assert read_csv(tmp_path / "none.csv") == []


def test_unfinished_needs_row_and_mask(tmp_path: Path) -> None:
    cases = [{"case": name} for name in "abcd"]
    write_csv(tmp_path / "scores.csv", ("case", "score"), [{"case": name, "score": "1"} for name in "abc"])
    for name, file in (("a", "a_mask.png"), ("b", "b_anomaly_map.npy"), ("d", "d_mask.png")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("")
    assert [item["case"] for item in unfinished(cases, tmp_path, resume=True)] == ["b", "c", "d"]
    assert unfinished(cases, tmp_path, resume=False) == cases
