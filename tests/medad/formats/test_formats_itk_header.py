# SPDX-License-Identifier: Apache-2.0
"""No trust in what the header of a MetaImage or NRRD file says."""

from pathlib import Path

import itk
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader


def load(path: str) -> None:
    MedicalImageReader().read(path)


def write(path: Path, array: np.ndarray) -> str:
    itk.imwrite(itk.image_from_array(array), str(path))
    return str(path)


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
@pytest.mark.parametrize("place", ["/etc/hostname", "../secret.raw", "LIST", "/dev/zero", "sub/a.raw", ".."])
def test_a_header_never_leads_to_another_folder(tmp_path: Path, name: str, place: str) -> None:
    write(tmp_path / name, np.zeros((3, 4, 5), dtype=np.int16))
    header = (tmp_path / name).read_bytes().replace(b"a.raw", place.encode())
    (tmp_path / name).write_bytes(header)
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.raw").rename(tmp_path / "sub" / "a.raw")
    with pytest.raises(InputError, match=r"its values are said to be in|its header cannot be read"):
        load(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_a_giant_is_refused_before_memory_is_reserved(tmp_path: Path, name: str) -> None:
    content = Path(write(tmp_path / name, np.zeros((3, 4, 5), dtype=np.int16))).read_bytes()
    (tmp_path / name).write_bytes(content.replace(b"5 4 3", b"50000 40000 30000"))
    with pytest.raises(InputError, match="50000 x 40000 x 30000 values, 120 TB, but the file has"):
        load(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mha", b""),
        ("a.mha", b"ObjectType = Image\nNDims = 3\nDimSize = 4 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"),
        ("a.mha", b"NDims = x\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"),
        ("a.mhd", b"NDims = 2\nDimSize = 4 3\nElementType = MET_OTHER\nElementDataFile = LOCAL\n"),
        ("a.nrrd", b"no header"),
        ("a.nrrd", b"NRRD0004\ntype: block\ndimension: 2\nsizes: 4 3\nencoding: raw\n\n"),
        ("a.nhdr", b"NRRD0004\ntype: short\ndimension: 2\nsizes: -4 3\nencoding: raw\n\n"),
        ("a.nrrd", b"NRRD0004\ntype: short\ndimension: 1\nsizes: 4\nencoding: raw\n\n"),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"its header cannot be read|the file is empty"):
        load(str(tmp_path / name))
