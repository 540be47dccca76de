# SPDX-License-Identifier: Apache-2.0
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from medad.noise import backends, simplex_cpp
from medad.noise.kernel_cache import cached_kernel

COMPILER = shutil.which("c++") or shutil.which("g++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def fresh_choice(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Forget which form was chosen before, and afterwards which one a test has brought about."""
    monkeypatch.delenv("MEDAD_NOISE_BACKEND", raising=False)
    load = simplex_cpp.load
    backends.choose.cache_clear()
    load.cache_clear()
    yield monkeypatch
    backends.choose.cache_clear()
    load.cache_clear()


@needs_compiler
def test_library_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    simplex_cpp.load()
    (library,) = tmp_path.rglob("*.so")
    built = library.stat().st_mtime_ns
    simplex_cpp.load.cache_clear()
    simplex_cpp.load()
    assert library.stat().st_mtime_ns == built
    assert [path.name for path in (tmp_path / "medad").iterdir()] == [library.name]


def test_kernels_built_at_once_appear_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    content = bytes(range(256)) * 4096

    def build(path: Path) -> None:
        with path.open("wb") as file:
            for start in range(0, len(content), 4096):
                file.write(content[start : start + 4096])

    def build_and_read(_: int) -> bytes:
        return cached_kernel("kernel.bin", ["source"], build).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(build_and_read, range(16))) == {content}
    assert len(list((tmp_path / "medad").iterdir())) == 1


def test_other_sources_make_another_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = cached_kernel("kernel.bin", ["source", "flags"], lambda path: path.touch() or None)
    assert cached_kernel("kernel.bin", ["source", "other flags"], lambda path: path.touch() or None) != first


def test_without_a_cache_folder_the_process_builds_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "medad").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = cached_kernel("kernel.bin", ["source"], lambda path: path.touch() or None)
    assert first.exists() and tmp_path not in first.parents

    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr("medad.noise.kernel_cache.cache_folder", no_home)
    assert cached_kernel("kernel.bin", ["source"], lambda path: path.touch() or None) == first
