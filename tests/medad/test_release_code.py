# SPDX-License-Identifier: Apache-2.0
"""A process with several releases: which code is imported next."""

import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from medad.release_code import use_release_code


@pytest.fixture(autouse=True)
def _own_imports() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    _forget_scripts()


def _forget_scripts() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]


def _release(folder: Path, value: int, regular: bool = True) -> Path:
    (folder / "scripts").mkdir(parents=True)
    if regular:
        (folder / "scripts" / "__init__.py").touch()
    (folder / "scripts" / "tool.py").write_text(f"VALUE = {value}\n")
    return folder


def _value() -> int:
    importlib.invalidate_caches()
    value: int = importlib.import_module("scripts.tool").VALUE
    return value


def test_each_release_gets_its_own(tmp_path: Path) -> None:
    one, two = _release(tmp_path / "one", 1), _release(tmp_path / "two", 2)
    for folder, value in ((one, 1), (two, 2), (one, 1)):
        use_release_code(folder)
        assert _value() == value
    assert sys.path.count(str(one)) == sys.path.count(str(two)) == 1


def test_what_was_built_meets_its_own_classes_again(tmp_path: Path) -> None:
    one, two = (_release(tmp_path / name, 0) for name in ("one", "two"))
    built = {}
    for folder in (one, two):
        (folder / "scripts" / "tool.py").write_text("class Tool:\n    pass\n")
        use_release_code(folder)
        importlib.invalidate_caches()
        built[folder] = importlib.import_module("scripts.tool").Tool()
    for folder in (one, two, one):
        use_release_code(folder)
        assert type(pickle.loads(pickle.dumps(built[folder]))) is type(built[folder])


def test_a_release_whose_modules_were_forgotten_is_loaded_again(tmp_path: Path) -> None:
    """MONAI Label deletes ``scripts`` before it builds a part."""
    one, two = _release(tmp_path / "one", 1), _release(tmp_path / "two", 2)
    for folder, value in ((one, 1), (two, 2), (one, 1)):
        _forget_scripts()
        use_release_code(folder)
        assert _value() == value


def test_nothing_is_loaded_twice_for_one_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _release(tmp_path / "one", 1)
    use_release_code(folder)
    assert _value() == 1
    module = sys.modules["scripts.tool"]
    monkeypatch.chdir(folder)
    use_release_code(".")
    assert sys.modules["scripts.tool"] is module and sys.path[0] == str(folder.resolve())


def test_scripts_that_are_no_release_make_way(tmp_path: Path) -> None:
    sys.path.insert(0, str(_release(tmp_path / "foreign", 3, regular=False)))
    assert _value() == 3
    use_release_code(_release(tmp_path / "one", 1))
    assert _value() == 1
