# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from medad.formats.file_types import has_suffix, is_annotation, is_dicom, is_nifti, is_raster, stem_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.nii", is_nifti),
        ("A.NII.GZ", is_nifti),
        ("a.jpeg", is_raster),
        ("a.TIFF", is_raster),
        ("a.dcm", is_dicom),
        ("a.IMA", is_dicom),
        ("a.gz", None),
        ("nii", None),
        ("a.png.txt", None),
    ],
)
def test_a_name_says_the_kind(name: str, kind: object) -> None:
    assert [each for each in (is_nifti, is_raster, is_dicom) if each(name)] == ([kind] if kind else [])


def test_dicom_without_a_suffix_is_known_by_its_magic_bytes(tmp_path: Path) -> None:
    content = {"a": bytes(128) + b"DICM", "b": bytes(127) + b"DICM", "c": b"", "d.png": bytes(128) + b"DICM"}
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    assert [name for name in content if is_dicom(tmp_path / name)] == ["a"]
    assert not is_dicom(tmp_path) and not is_dicom(tmp_path / "missing")


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("scans/a.b.nii.gz", "a.b"),
        ("a.b.nii", "a.b"),
        ("x.PNG", "x"),
        ("scans.png/x", "x"),
        ("x.dicom", "x"),
        ("x.gz", "x.gz"),
        (".png", ".png"),
    ],
)
def test_stems(path: str, stem: str) -> None:
    assert stem_of(path) == stem


@pytest.mark.parametrize("name", ["a_mask.png", "a_SEG.nii.gz", "b/a_Mask.dcm"])
def test_annotations_are_known_by_the_end_of_their_stem(name: str) -> None:
    assert is_annotation(name) and not is_annotation(name.replace("a_", "a"))
    assert not is_annotation("mask_a.png") and not is_annotation("b_mask/a.png")


def test_suffixes_are_compared_without_case() -> None:
    assert has_suffix("A.Nii.Gz", (".nii.gz",)) and not has_suffix("a.nii", (".nii.gz",))
