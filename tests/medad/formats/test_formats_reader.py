# SPDX-License-Identifier: Apache-2.0
"""Raster, NIfTI and archive files: nothing lost, axes as in MONAI, one clear error each."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch
from medad.errors import InputError
from medad.formats import ORIENTED, MedicalImageReader
from medad.transforms import LoadImageFiled
from monai.data import ITKReader
from PIL import Image


def array(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def test_one_path_per_channel(png):
    first, second = array(7, 5), array(7, 5, dtype=np.uint8)
    image = LoadImageFiled("image")({"image": [png("a.png", first), png("b.png", second)]})["image"]
    np.testing.assert_array_equal(image.numpy(), np.stack([first.T, second.T]))


def test_channels_of_other_shape_or_affine_or_color_are_refused(png, nifti):
    loader = LoadImageFiled("image")
    with pytest.raises(InputError, match=r"channel with shape \(6, 7\).*shape \(5, 7\)"):
        loader({"image": [png("a.png"), png("b.png", array(7, 6, dtype=np.uint8))]})
    volume = array(3, 4, 5, dtype=np.uint8)
    with pytest.raises(InputError, match="another position or orientation"):
        loader({"image": [nifti("a.nii", volume), nifti("b.nii", volume, np.diag([1, 1, 2, 1]))]})
    with pytest.raises(InputError, match="one path per channel, each with one channel"):
        loader({"image": [png("a.png"), png("c.png", array(7, 5, 3, dtype=np.uint8))]})


def broken_png(path: Path) -> Path:
    Image.fromarray(array(64, 64, dtype=np.uint8)).save(path / "broken.png")
    (path / "broken.png").write_bytes((path / "broken.png").read_bytes()[:500])
    return path / "broken.png"


def no_png(path: Path) -> Path:
    (path / "text.png").write_text("no image")
    return path / "text.png"


def broken_nifti(path: Path) -> Path:
    with gzip.open(path / "broken.nii.gz", "wb") as file:
        file.write(b"\x5c\x01\x00\x00" + b"\0" * 100)
    return path / "broken.nii.gz"


def truncated_nifti(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(9, 9, 9), np.eye(4)), path / "cut.nii.gz")
    (path / "cut.nii.gz").write_bytes((path / "cut.nii.gz").read_bytes()[:600])
    return path / "cut.nii.gz"


def pages_of_two_shapes(path: Path) -> Path:
    first, second = (Image.fromarray(array(*shape, dtype=np.uint8)) for shape in [(4, 4), (4, 5)])
    first.save(path / "two.tif", save_all=True, append_images=[second])
    return path / "two.tif"


def cmyk(path: Path) -> Path:
    Image.new("CMYK", (4, 4)).save(path / "cmyk.jpg")
    return path / "cmyk.jpg"


def planar_color(path: Path) -> Path:
    tifffile.imwrite(path / "planar.tif", array(3, 7, 5), photometric="rgb", planarconfig="separate")
    return path / "planar.tif"


def double_tiff(path: Path) -> Path:
    tifffile.imwrite(path / "double.tif", np.zeros((4, 4)))
    return path / "double.tif"


def complex_nifti(path: Path) -> Path:
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), dtype=np.complex64), np.eye(4)), path / "complex.nii")
    return path / "complex.nii"


def five_dimensions(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(2, 2, 2, 2, 2, dtype=np.uint8), np.eye(4)), path / "five.nii")
    return path / "five.nii"


def singular_affine(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(3, 3, 3, dtype=np.uint8), np.eye(4)), path / "flat.nii")
    raw = bytearray((path / "flat.nii").read_bytes())
    rows = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]  # columns of length 1, as pixdim says, but two of them equal
    raw[280:328] = np.asarray(rows, dtype="<f4").tobytes()
    (path / "flat.nii").write_bytes(bytes(raw))
    return path / "flat.nii"


def unknown_format(path: Path) -> Path:
    (path / "a.xyz").write_text("?")
    return path / "a.xyz"


def absent(path: Path) -> Path:
    return path / "absent.png"


def folder_without_images(path: Path) -> Path:
    return path


BAD_FILES = [
    (broken_png, "cannot be read"),
    (no_png, "no header of an image"),
    (broken_nifti, "no readable NIfTI header"),
    (truncated_nifti, "no readable NIfTI header"),
    (pages_of_two_shapes, "different shapes"),
    (cmyk, "color mode CMYK"),
    (planar_color, "8 bits"),
    (double_tiff, "samples of type float64 found"),
    (complex_nifti, "complex64"),
    (five_dimensions, "5D array"),
    (singular_affine, "singular"),
    (unknown_format, "unknown file format"),
    (absent, "does not exist"),
    (folder_without_images, "no DICOM image"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FILES, ids=[make.__name__ for make, _ in BAD_FILES])
def test_bad_file_is_one_input_error(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        LoadImageFiled("image")({"image": str(path)})
    assert path.name in caught.value.where
    assert caught.value.expected
    assert caught.value.remedy.endswith(".")


def test_verify_suffix(png, tmp_path):
    assert MedicalImageReader().verify_suffix(png("a.png"))
    assert not MedicalImageReader().verify_suffix([png("a.png"), str(tmp_path / "a.xyz")])


@pytest.mark.real_data
def test_real_volumes_and_tiff(real_data):
    loader = LoadImageFiled("image")
    for name, shape in [
        ("MNI152_T1_2mm.nii.gz", (1, 91, 109, 91)),
        ("voxelmorph_test_vol_T1.nii.gz", (1, 160, 192, 224)),
    ]:
        image = loader({"image": real_data / "healthy_3d" / name})["image"]
        assert image.shape == shape
        assert image.dtype == torch.float32
    path = next((real_data / "lgg_original_tif").rglob("*_12.tif"))
    image = loader({"image": path})["image"]
    expected, _ = (lambda reader: reader.get_data(reader.read(path)))(ITKReader())
    assert image.shape == (3, 256, 256)
    np.testing.assert_array_equal(image.numpy(), expected.transpose(2, 0, 1))


def test_what_a_file_says_of_its_orientation(png, nifti, dicom, dicom_series, enhanced, tmp_path):
    """A convention about the axes of a picture, or of a header without directions, is no knowledge of them."""
    slice_, volume = array(4, 3), array(3, 4, 5)
    dicom_series("series")
    uncoded = nib.Nifti1Image(volume, np.eye(4))
    for code in (uncoded.set_sform, uncoded.set_qform):
        code(np.eye(4), 0)
    nib.save(uncoded, tmp_path / "uncoded.nii")
    uncoded.set_qform(np.eye(4), 1)
    nib.save(uncoded, tmp_path / "qform.nii")
    tifffile.imwrite(tmp_path / "stack.tif", volume, photometric="minisblack")
    known = [
        nifti("a.nii", volume),
        nifti("flat.nii", slice_),
        str(tmp_path / "qform.nii"),
        dicom("1/a.dcm", slice_),
        str(tmp_path / "series"),
        enhanced("2/a.dcm", array(2, 4, 3), (0.0, 4.0)),
    ]
    unknown = [
        png("a.png"),
        str(tmp_path / "stack.tif"),
        str(tmp_path / "uncoded.nii"),
        dicom("3/a.dcm", slice_, ImagePositionPatient=None, ImageOrientationPatient=None),
        dicom("4/a.dcm", array(2, 4, 3), ImagePositionPatient=None, ImageOrientationPatient=None, NumberOfFrames=2),
    ]
    for path in known + unknown:
        image = LoadImageFiled("image")({"image": path})["image"]
        assert image.meta[ORIENTED] == (path in known), path


def test_values_that_float32_does_not_hold_are_no_infinity(tmp_path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.full((3, 4, 5), -1e41), np.eye(4)), path)
    with pytest.raises(InputError, match=r"values of up to 1e\+41 found"):
        MedicalImageReader().read(str(path))
