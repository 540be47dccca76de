# SPDX-License-Identifier: Apache-2.0
"""Copies are found by what is in a file, and most files are never read for that."""

import gzip
from pathlib import Path

import numpy as np
from medad.datalists import content
from medad.datalists.content import copies_among

RANDOM = np.random.default_rng(0)
FIRST, OTHER = RANDOM.bytes(50_000), RANDOM.bytes(50_000)


def write(folder: Path, **files: bytes) -> list[str]:
    for name, data in files.items():
        (folder / name.replace("_gz", ".gz")).write_bytes(data)
    return sorted(map(str, folder.iterdir()))


def always(names: list[str]) -> bool:
    return len(names) > 1


def names(groups: list[list[str]]) -> list[list[str]]:
    return sorted(sorted(Path(name).name for name in group) for group in groups)


def packed(data: bytes, time: int) -> bytes:
    return gzip.compress(data, 1 + time, mtime=time)


def test_copies_are_found_packed_or_not(tmp_path: Path) -> None:
    found = write(
        tmp_path, a=FIRST, b=FIRST, c=OTHER, d_gz=packed(FIRST, 1), e_gz=packed(FIRST, 2), f_gz=packed(OTHER, 1)
    )
    assert names(copies_among(found, always)) == [["a", "b", "d.gz", "e.gz"], ["c", "f.gz"]]


def test_what_is_empty_or_damaged_is_a_copy_of_nothing(tmp_path: Path) -> None:
    damaged = bytearray(packed(FIRST, 1))
    damaged[30_000:40_000] = bytes(10_000)  # size and checksum are still right
    found = write(tmp_path, a=b"", b=b"", c_gz=b"\x1f\x8b", d_gz=b"\x1f\x8b", e_gz=bytes(damaged), f_gz=bytes(damaged))
    assert not copies_among([*found, str(tmp_path / "gone"), str(tmp_path), "a\0b"], always)


def test_files_are_read_only_where_it_matters(tmp_path: Path, monkeypatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(content, "_read", lambda name, summary: read.append(name))
    found = write(tmp_path, a=FIRST, b=OTHER[1:], c_gz=packed(FIRST[2:], 1), d_gz=packed(OTHER[2:], 1))
    assert not copies_among(found, always) and not read  # sizes and checksums differ
    assert not copies_among(write(tmp_path, e=FIRST), lambda group: False) and not read


def test_images_of_an_archive_are_copies_of_each_other_alone(tmp_path: Path) -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    np.savez(tmp_path / "a.npz", images=images, others=images[:1])
    references = [
        f"{tmp_path}/a.npz#{name}" for name in ("images[0]", "images[1]", "others[0]", "gone[0]", "others[7]")
    ]
    (group,) = copies_among([*references, str(tmp_path / "a.npz")], always)
    assert group == [references[0], references[2]]
