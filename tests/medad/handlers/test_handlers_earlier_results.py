# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from medad.files import read_csv
from medad.handlers.earlier_results import forget_unfinished, remove_results
from medad.loading.earlier_run import EarlierRun


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run with two cases left, and what somebody else put there."""
    run = tmp_path / "run"
    for case in ("a", "b", "own"):
        (run / case).mkdir(parents=True)
        (run / case / f"{case}_mask.png").write_text("x")
    (run / "b" / "notes.txt").write_text("mine")
    (run / "scores.csv").write_text("case,score\na,1\nb,2\n")
    (run / "detections.csv").write_text("case,x\na,1\na,2\n")
    for name in ("failures.csv", "metrics.json", "froc.csv", "report.html", "cases.png", "run.json", "README.md"):
        (run / name).write_text("x")
    (run / ".scores.csv.partial").write_text("half")
    return run


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _run(*cases: str) -> EarlierRun:
    return EarlierRun({}, dict.fromkeys(cases, "hash"), 1, 1)


def test_all_that_the_run_wrote_goes_and_nothing_else(folder: Path) -> None:
    remove_results(folder, _run("a", "b"))
    assert _names(folder) == {"README.md", "b/notes.txt", "own/own_mask.png"}
    assert not (folder / "a").exists()


@pytest.mark.parametrize("case", ["..", ".", "../elsewhere", "x/../../elsewhere"])
def test_a_record_never_leads_out_of_its_folder(folder: Path, case: str) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "elsewhere_mask.png").write_text("x")
    (folder.parent / ".._mask.png").write_text("x")
    (folder / "link").symlink_to(elsewhere)
    (elsewhere / "link_mask.png").write_text("x")
    remove_results(folder, _run(case, "link"))
    assert _names(elsewhere) == {"elsewhere_mask.png", "link_mask.png"}


def test_what_is_done_again_leaves_the_tables(folder: Path) -> None:
    forget_unfinished(folder, {"b"})
    assert [row["case"] for row in read_csv(folder / "scores.csv")] == ["b"]
    assert read_csv(folder / "detections.csv") == []
    assert not (folder / "report.html").exists() and not (folder / "cases.png").exists()
    assert (folder / "metrics.json").exists() and (folder / "a" / "a_mask.png").exists()


def test_a_table_without_changes_is_not_written(folder: Path) -> None:
    before = (folder / "scores.csv").stat().st_ino
    forget_unfinished(folder, {"a", "b"})
    assert (folder / "scores.csv").stat().st_ino == before
