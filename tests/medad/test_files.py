# SPDX-License-Identifier: Apache-2.0
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from medad.errors import InputError
from medad.files import append_csv, atomic_path, read_csv, user_path, write_csv, write_json


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


def test_many_writers_of_one_file_or_folder(tmp_path: Path) -> None:
    file, folder = tmp_path / "deep" / "a", tmp_path / "set"
    with atomic_path(file, many_writers=True) as first, atomic_path(file, many_writers=True) as second:
        first.write_text("1")
        second.write_text("2")
    assert file.read_text() == "1" and list(file.parent.iterdir()) == [file]  # the last to end is the first to begin
    for content in ("full", "late"):
        with suppress(OSError), atomic_path(folder, many_writers=True) as partial:
            partial.mkdir()
            (partial / content).write_text("")
    assert [path.name for path in folder.iterdir()] == ["full"]
    assert {path.name for path in tmp_path.iterdir()} == {"deep", "set"}


def test_csv_round_trip_and_missing_file(tmp_path: Path) -> None:
    rows = [{"case": "a, b", "score": "1"}, {"case": "ä", "score": ""}]
    write_csv(tmp_path / "t.csv", ("case", "score"), rows)
    assert read_csv(tmp_path / "t.csv") == rows
    assert read_csv(tmp_path / "none.csv") == []


def test_a_folder_is_never_half_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any step, either the whole old folder or the whole new one stands there, or none."""
    case = tmp_path / "case"
    for step in range(1, 12):
        case.mkdir(exist_ok=True)
        (case / "a").write_text("old")
        (case / "b").write_text("old")
        steps = iter(range(1, 100))

        def stop(*_: object, steps: Iterator[int] = steps, step: int = step) -> None:
            if next(steps) >= step:  # no step after this one happens, as when the process is gone
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "rmdir"):
                patch.setattr(os, name, _before(stop, getattr(os, name)))
            with suppress(KeyboardInterrupt), atomic_path(case) as partial:
                partial.mkdir()
                (partial / "a").write_text("new")
                (partial / "b").write_text("new")
        if case.exists():
            assert len({(case / name).read_text() for name in "ab"}) == 1
        with atomic_path(case) as partial:
            partial.mkdir()
        assert [path.name for path in tmp_path.iterdir()] == ["case"]


def _before(first: Callable[..., None], then: Callable[..., object]) -> Callable[..., object]:
    def both(*arguments: object, **options: object) -> object:
        first()
        return then(*arguments, **options)

    return both


def test_a_row_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    rows = [{"case": name, "score": "0.123456"} for name in "abc"]
    write_csv(tmp_path / "t.csv", ("case", "score"), rows)
    whole = (tmp_path / "t.csv").read_bytes()
    for length in range(len(whole) + 1):
        (tmp_path / "t.csv").write_bytes(whole[:length])
        found = read_csv(tmp_path / "t.csv")
        assert found == rows[: len(found)]
    assert found == rows


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("4096 requested and 2016 written"),  # as NumPy says it
        RuntimeError("unexpected pos 61824 vs 61712"),  # as torch does
    ],
)
def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    path = tmp_path / "x.pt"
    path.write_text("old")
    monkeypatch.setattr("medad.files.shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    for many in (False, True):
        with (
            pytest.raises(InputError, match=rf"{path}: the disk is full\. .* resume"),
            atomic_path(path, many) as partial,
        ):
            partial.write_text("new")
            raise error
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


def test_another_error_of_writing_is_itself(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="torn"), atomic_path(tmp_path / "x"):
        raise OSError("torn")


def test_rows_are_added_without_what_is_no_column(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", ("a",), [{"a": 1, "b": 2}])
    append_csv(tmp_path / "x.csv", ("a",), [{"a": "M\udcfc", "b": 3}])
    assert read_csv(tmp_path / "x.csv") == [{"a": "1"}, {"a": "M\\udcfc"}]


def test_a_home_folder_is_found_and_what_exists_is_taken_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/a")
    assert (user_path("~/b"), user_path("~nobody at all")) == (Path("/home/a/b"), Path("~nobody at all"))
    Path("~").mkdir()
    assert user_path("~") == Path("~")
