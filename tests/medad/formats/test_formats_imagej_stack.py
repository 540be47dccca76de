# SPDX-License-Identifier: Apache-2.0
"""ImageJ stacks with one directory are stacks, not their first slice."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.formats.raster import count_pages


def with_one_directory(path: Path) -> str:
    """Cut the chain of directories behind the first."""
    data = bytearray(path.read_bytes())
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    struct.pack_into(f"{order}I", data, directory + 2 + 12 * entries, 0)
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_all_slices_are_read(tmp_path: Path, dtype: type) -> None:
    stack = np.arange(5 * 4 * 6).reshape(5, 4, 6).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True)
    path = with_one_directory(tmp_path / "a.tif")
    assert count_pages(path) == 5
    np.testing.assert_array_equal(MedicalImageReader().read(path).array, stack.T)


def test_with_a_directory_for_each_slice_nothing_changes(tmp_path: Path) -> None:
    stack = np.arange(60, dtype=np.uint16).reshape(5, 4, 3)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True)
    np.testing.assert_array_equal(MedicalImageReader().read(str(tmp_path / "a.tif")).array, stack.T)


def test_slices_that_are_not_there_are_missed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 64, 64), dtype=np.uint16), imagej=True)
    path = Path(with_one_directory(tmp_path / "a.tif"))
    path.write_bytes(path.read_bytes().replace(b"images=5", b"images=9"))
    with pytest.raises(InputError, match="9 x 64 x 64 values"):
        MedicalImageReader().read(str(path))


def test_channels_and_times_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((2, 3, 4, 5), dtype=np.uint8), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="with one directory for 6 slices"):
        MedicalImageReader().read(with_one_directory(tmp_path / "a.tif"))


@pytest.mark.parametrize("axes", ["TZYX", "ZCYX", "TCYX"])
def test_pages_of_several_kinds_are_no_volume(tmp_path: Path, axes: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((2, 3, 4, 5), dtype=np.uint8), imagej=True, metadata={"axes": axes})
    with pytest.raises(InputError, match=r"an ImageJ hyperstack of . [a-z]+ and . [a-z]+"):
        MedicalImageReader().read(str(tmp_path / "a.tif"))
