# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from medad.formats.values_place import ValuesPlace, place_of_values

META = "NDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\n{}ElementDataFile = {}\n"
NRRD = "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 4 4\nencoding: raw\n{}data file: {}\n\n"


@pytest.mark.parametrize(
    ("name", "header", "begin"),
    [
        ("a.mhd", META.format("", "v.raw"), ("0", "0")),
        ("a.mha", META.format("HeaderSize = 16\n", "v.raw"), ("16", "0")),
        ("a.nhdr", NRRD.format("", "v.raw"), ("0", "0")),
        ("a.NRRD", NRRD.format("byteskip: 16\nline skip: 2\n", "v.raw"), ("16", "2")),
    ],
)
def test_a_header_names_a_file_beside_it(tmp_path: Path, name: str, header: str, begin: tuple[str, str]) -> None:
    (tmp_path / name).write_text(header)
    assert place_of_values(str(tmp_path / name)) == ValuesPlace(str(tmp_path / "v.raw"), begin)


@pytest.mark.parametrize(("name", "image"), [("a.hdr", "a.img"), ("a.img", "a.img"), ("A.HDR", "A.IMG")])
def test_a_pair_is_its_image(name: str, image: str) -> None:
    assert place_of_values(name) == ValuesPlace(image)


@pytest.mark.parametrize(
    ("name", "header"),
    [("a.mha", META.format("", "LOCAL")), ("a.mhd", META.format("", "../v.raw")), ("a.nrrd", ""), ("a.png", "")],
)
def test_all_others_hold_their_values(tmp_path: Path, name: str, header: str) -> None:
    path = tmp_path / name
    path.write_text(header)
    for each in (str(path), str(tmp_path / f"gone{path.suffix}"), f"a\0b{path.suffix}"):
        assert place_of_values(each) == ValuesPlace(each)
