# SPDX-License-Identifier: Apache-2.0
"""The fingerprint of a case follows the state of its files, and shows no name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medad.loading.case_fingerprint import case_fingerprints


def fingerprint(**item: Any) -> str:
    (value,) = case_fingerprints([{"case": "a", **item}]).values()
    assert len(value) == 16 and int(value, 16) >= 0
    return value


def touch(path: str | Path) -> None:
    status = Path(path).stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def test_path_size_and_time_count(png: Callable[..., str]) -> None:
    first, second = png("a.png"), png("b.png")
    os.utime(second, ns=(1, Path(first).stat().st_mtime_ns))
    known = fingerprint(image=first)
    assert fingerprint(image=first) == known != fingerprint(image=second)
    touch(first)
    changed = fingerprint(image=first)
    assert changed != known
    with Path(first).open("ab") as file:
        file.write(b" ")
    os.utime(first, ns=(1, Path(second).stat().st_mtime_ns + 1))
    assert fingerprint(image=first) not in (known, changed)
    Path(first).unlink()
    assert fingerprint(image=first) not in (known, changed)


@pytest.mark.parametrize("key", ["foreground", "mask"])
def test_every_file_of_a_case_counts(png: Callable[..., str], key: str) -> None:
    first, second, other = png("a.png"), png("b.png"), png("c.png")
    known = fingerprint(image=[first, second], **{key: other})
    for path in (second, other):
        touch(path)
        changed = fingerprint(image=[first, second], **{key: other})
        assert changed != known
        known = changed


def test_a_series_is_all_its_slices(dicom_series: Callable[..., np.ndarray], dicom: Callable[..., str]) -> None:
    dicom_series("series")
    other = Path(dicom("series/other.dcm", np.zeros((4, 3), dtype=np.uint16), series="9.9"))
    first = str(other.with_name("001.dcm"))
    by_file, by_folder = fingerprint(image=first), fingerprint(image=str(other.parent))
    touch(other)
    assert fingerprint(image=first) == by_file  # a series of its own
    assert fingerprint(image=str(other.parent)) != by_folder
    touch(other.with_name("003.dcm"))
    assert fingerprint(image=first) != by_file


def test_images_of_an_archive_are_told_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", test_images=np.zeros((2, 4, 4)))
    first, second = (f"{tmp_path}/x.npz#test_images[{index}]" for index in range(2))
    known = fingerprint(image=first)
    assert known != fingerprint(image=second)
    touch(tmp_path / "x.npz")
    assert fingerprint(image=first) != known
