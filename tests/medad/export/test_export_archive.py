# SPDX-License-Identifier: Apache-2.0
"""Zip files of equal folders are equal."""

import hashlib
import os
import stat
import zipfile
from pathlib import Path

from medad.export.archive import write_zip


def _folder(parent: Path, names: list[str], mode: int, time: int) -> Path:
    folder = parent / "bundle"
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
        path.chmod(mode)
        os.utime(path, (time, time))
    return folder


def test_order_times_and_permissions_do_not_matter(tmp_path: Path) -> None:
    names = ["b.json", "models/a.pt", "a/b/c.py", "a.json"]
    one = write_zip(_folder(tmp_path / "one", names, 0o644, 1_000_000_000), tmp_path / "one.zip")
    two = write_zip(_folder(tmp_path / "two", names[::-1], 0o700, 1_700_000_000), tmp_path / "two.zip")
    assert one == two == hashlib.sha256((tmp_path / "two.zip").read_bytes()).hexdigest()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["bundle/a/b/c.py", "bundle/a.json", "bundle/b.json", "bundle/models/a.pt"]
        assert archive.read("bundle/models/a.pt") == b"models/a.pt" * 100
        assert {stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()} == {0o644}


def test_contents_and_names_matter(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ["a"], 0o644, 1_000_000_000)
    digests = [write_zip(folder, tmp_path / "first.zip")]
    (folder / "a").write_bytes(b"other")
    digests.append(write_zip(folder, tmp_path / "second.zip"))
    (folder / "a").rename(folder / "b")
    digests.append(write_zip(folder, tmp_path / "third.zip"))
    assert len(set(digests)) == 3
