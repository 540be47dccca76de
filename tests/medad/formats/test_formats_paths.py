# SPDX-License-Identifier: Apache-2.0
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from medad.errors import InputError
from medad.formats.paths import is_file, is_folder, is_searchable, require_openable


def test_files_and_folders_with_something_in_them(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a.png")
    for path in (tmp_path / "a.png", tmp_path / "link", tmp_path):
        require_openable(path)
    assert is_file(tmp_path / "link") and not is_folder(tmp_path / "link")
    assert is_folder(tmp_path) and not is_file(tmp_path) and is_searchable(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "it does not exist"),
        (lambda path: path.touch(), r"the file is empty \(0 bytes\)"),
        (os.mkfifo, "a named pipe found"),
        (lambda path: path.symlink_to("/dev/null"), "a device found"),
        (lambda path: path.symlink_to("gone.png"), "a link to gone.png, which does not exist"),
        (lambda path: path.symlink_to(path.name), "links that lead in a circle"),
    ],
)
def test_what_cannot_be_opened_is_named(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match=rf"a\.png: {message}"):
        require_openable(tmp_path / "a.png")
    assert not is_folder(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "folder"])
def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    needed = os.R_OK if name == "a.png" else os.X_OK  # root may read everything
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & needed)
    with pytest.raises(InputError, match="permission denied"):
        require_openable(tmp_path / name)


def test_a_path_that_no_system_has() -> None:
    assert not is_file("a\0b") and not is_folder("a\0b")
    with pytest.raises(InputError, match="it cannot be opened"):
        require_openable("a\0b")
