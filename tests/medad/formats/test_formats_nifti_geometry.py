# SPDX-License-Identifier: Apache-2.0
import logging
import re
import struct
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats.nifti import read_nifti
from medad.formats.nifti_geometry import save_nifti

LPS = np.array([[-2.0, 0, 0, 40], [0, -2, 0, 50], [0, 0, 3, -30], [0, 0, 0, 1]])
TWELVE_DOF = np.array([[-2.2, 0, 0.5, 40], [0.1, -2.1, 0, 50], [0, 0, 3.2, -30], [0, 0, 0, 1]])
ELSEWHERE = np.array([[-2.0, 0, 0, 40], [0, -2, 0, 20], [0, 0, 3, -30], [0, 0, 0, 1]])


def write(path: Path, sform=None, qform=None, pixdim=(2, 2, 3), codes=(2, 1), shape=(6, 5, 4), units="mm") -> str:
    """Write a NIfTI file whose header says exactly this."""
    image = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), np.eye(4))
    header = image.header
    image.set_sform(sform, codes[0] if sform is not None else 0, update_affine=False)
    image.set_qform(qform, codes[1] if qform is not None else 0, update_affine=False)
    header.set_xyzt_units(units)
    header["pixdim"][1:4] = pixdim
    bare = nib.Nifti1Image(image.dataobj, None, header)
    bare.header["pixdim"][1:4] = pixdim
    nib.save(bare, path)
    return str(path)


@pytest.mark.parametrize(
    ("header", "contradiction"),
    [
        ({"sform": LPS, "qform": LPS}, ""),
        ({"sform": LPS}, ""),
        ({"qform": LPS}, ""),
        ({"sform": LPS, "pixdim": (1, 1, 1)}, "pixdim says voxels of 1 x 1 x 1 mm where its sform has 2 x 2 x 3 mm"),
        ({"sform": LPS, "shape": (6, 5, 4, 2), "pixdim": (1, 1, 1)}, "pixdim says"),
        ({"sform": LPS, "qform": ELSEWHERE}, "qform puts voxels up to 30 mm away"),
        ({"sform": TWELVE_DOF, "qform": LPS}, "qform puts voxels up to .* and its pixdim says"),
        ({"sform": LPS + 1e-4, "qform": LPS}, ""),
        ({"sform": LPS, "shape": (6, 5)}, ""),
    ],
)
def test_the_affine_is_that_of_nibabel_and_what_contradicts_it_is_told_once(tmp_path, caplog, header, contradiction):
    path = write(tmp_path / "a.nii.gz", **header)
    with caplog.at_level(logging.WARNING):
        image = read_nifti(path)
    np.testing.assert_array_equal(image.affine, nib.load(path).affine)
    assert len(caplog.records) == bool(contradiction)
    if contradiction:
        assert caplog.records[0].message.startswith(path)
        assert caplog.records[0].message.endswith("the sform is used, as nibabel and FSL do")
        assert re.search(contradiction, caplog.text)


def test_no_orientation_at_all_is_told(tmp_path, caplog):
    path = write(tmp_path / "a.nii")
    np.testing.assert_array_equal(read_nifti(path).affine, nib.load(path).affine)
    assert "neither sform nor qform" in caplog.text and "to the left, front and top" in caplog.text


@pytest.mark.parametrize(
    ("entry", "found"), [((0, 0, 0), "singular|voxel sizes of 0"), ((np.nan, 0, 0), "nan"), ((0, -2.0, 0), "singular")]
)
def test_affines_that_lead_nowhere_are_refused_even_beside_a_good_qform(tmp_path, entry, found):
    broken = LPS.copy()
    broken[:3, 0] = entry
    with pytest.raises(InputError, match=f"({found}).*Repair the sform"):
        read_nifti(write(tmp_path / "a.nii", broken, LPS))


def test_a_shear_of_a_voxel_needs_a_qform(tmp_path):
    tilted, nearly = LPS.copy(), LPS.copy()
    tilted[1, 2], nearly[1, 2] = 3 * np.tan(np.deg2rad(60)), 0.1
    with pytest.raises(InputError, match=r"sheared affine: an axis ends .* mm from"):
        read_nifti(write(tmp_path / "a.nii", tilted))
    np.testing.assert_allclose(read_nifti(write(tmp_path / "b.nii", nearly)).affine, nearly)


def itk_grid(path: Path | str) -> list[np.ndarray]:
    image = itk.imread(str(path))
    return [np.asarray(image.GetOrigin()), np.asarray(image.GetSpacing()), itk.array_from_matrix(image.GetDirection())]


@pytest.mark.parametrize(
    "header",
    [
        {"sform": LPS, "qform": LPS},
        {"sform": LPS, "qform": ELSEWHERE, "codes": (2, 1)},
        {"sform": LPS, "qform": ELSEWHERE, "codes": (1, 1)},
        {"sform": TWELVE_DOF, "qform": LPS, "codes": (4, 3)},
        {"qform": LPS},
        {"sform": LPS, "pixdim": (1, 1, 1)},
        {"sform": LPS, "units": "micron"},
        {},
    ],
)
def test_a_result_says_of_geometry_what_its_image_says(tmp_path, header):
    source = write(tmp_path / "a.nii.gz", **header)
    image = read_nifti(source)
    save_nifti(np.zeros((6, 5, 4), np.float32), tmp_path / "map.nii.gz", image.affine, source)
    given, found = nib.load(source), nib.load(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(found.affine, given.affine)
    assert found.get_data_dtype() == np.float32
    for part in ("qform_code", "sform_code", "xyzt_units", "pixdim", "quatern_b", "qoffset_y", "srow_x"):
        np.testing.assert_array_equal(found.header[part], given.header[part], part)
    for ours, theirs in zip(itk_grid(tmp_path / "map.nii.gz"), itk_grid(source), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_itk_opens_the_result_of_an_image_that_it_could_not(tmp_path):
    nearly = LPS.copy()
    nearly[1, 2] = 0.1
    source = write(tmp_path / "a.nii.gz", nearly)
    save_nifti(np.zeros((6, 5, 4), np.uint8), tmp_path / "mask.nii.gz", nearly, source)
    np.testing.assert_allclose(itk_grid(tmp_path / "mask.nii.gz")[1], (2, 2, 3), atol=0.01)
    np.testing.assert_allclose(nib.load(tmp_path / "mask.nii.gz").affine, nearly, atol=1e-6)


def test_the_grid_of_another_format_stands_in_both_forms(tmp_path):
    save_nifti(np.zeros((6, 5, 4), np.uint8), tmp_path / "mask.nii.gz", LPS, "series/0001.dcm")
    header = nib.load(tmp_path / "mask.nii.gz").header
    for matrix, code in (header.get_qform(coded=True), header.get_sform(coded=True)):
        np.testing.assert_allclose(matrix, LPS)
        assert code == 1
    assert header.get_xyzt_units()[0] == "mm"


def test_a_quaternion_that_is_none_does_not_matter_beside_a_sform(tmp_path):
    path = Path(write(tmp_path / "a.nii", LPS, LPS))
    content = bytearray(path.read_bytes())
    struct.pack_into("<3f", content, 256, 0.9, 0.9, 0.9)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_nifti(str(path)).affine, LPS)
    save_nifti(np.zeros((6, 5, 4), np.float32), tmp_path / "b.nii", LPS, str(path))
    np.testing.assert_array_equal(nib.load(tmp_path / "b.nii").affine, LPS)
