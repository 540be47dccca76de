# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader, dicom_series_files
from medad.transforms import LoadImageFiled
from monai.data import ITKReader

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def test_folder_and_any_file_give_the_whole_series(dicom_series, tmp_path):
    expected = dicom_series("s")
    for path in ["s", "s/001.dcm", "s/003.dcm"]:
        np.testing.assert_array_equal(load(tmp_path / path)[0], expected)
    assert [Path(path).name for path in dicom_series_files(tmp_path / "s")] == ["003.dcm", "002.dcm", "001.dcm"]


def test_single_image_is_2d_without_patient_data(dicom, tmp_path):
    dicom("a", SLICE)  # no suffix: recognized by content
    image = LoadImageFiled("image")({"image": tmp_path / "a"})["image"]
    np.testing.assert_array_equal(image.numpy(), 2.0 * SLICE.T[None] - 10)
    assert "secret" not in str(image.meta).lower()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "shape", "spacing"),
    [("head_torchio_17", (88, 128, 17), (2, 2, 2)), ("mr_vs_seg_001", (512, 512, 36), (0.410156, 0.410156, 1.5))],
)
def test_real_series(real_data, name, shape, spacing):
    folder = real_data / "dicom" / name
    array, meta = load(folder)
    assert array.shape == shape
    np.testing.assert_allclose(nib.affines.voxel_sizes(meta["affine"]), spacing, atol=1e-3)
    reader = ITKReader()
    expected, expected_meta = reader.get_data(reader.read(str(folder)))
    np.testing.assert_array_equal(array, expected)
    np.testing.assert_allclose(meta["affine"], expected_meta["affine"], atol=1e-3)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    ["693_J2KR", "MR-SIEMENS-DICOM-WithOverlays", "MR2_J2KR", "eCT_Supplemental", "emri_small"],
)
def test_real_single_files_load(real_data, name):
    path = real_data / "dicom" / "pydicom_single" / f"{name}.dcm"
    image = LoadImageFiled("image")({"image": path})["image"]
    header = pydicom.dcmread(path)
    pixels = header.pixel_array.astype(np.float64)  # an independent decoder
    slope, intercept = (
        float(header.get(tag, default)) for tag, default in [("RescaleSlope", 1), ("RescaleIntercept", 0)]
    )
    if name == "eCT_Supplemental":  # rescale stands elsewhere; frames run against the normal of its flipped rows
        slope, intercept, pixels = 1.0, -1024.0, pixels[::-1]
    measured, expected = (pixels != header.get("PixelPaddingValue")).T, pixels.T * slope + intercept
    np.testing.assert_allclose(image[0].numpy()[measured], expected[measured], rtol=1e-6, atol=1e-3)
    assert bool((image[0].numpy()[~measured] == np.quantile(expected[measured], 0.01, method="nearest")).all())


@pytest.mark.real_data
def test_real_segmentation_is_refused(real_data):
    with pytest.raises(InputError, match="SEG"):
        LoadImageFiled("image")({"image": real_data / "dicom" / "pydicom_single" / "liver.dcm"})


@pytest.mark.real_data
def test_real_series_with_a_missing_slice(real_data, tmp_path):
    shutil.copytree(real_data / "dicom" / "head_torchio_17", tmp_path / "s")
    (tmp_path / "s" / "IMG0008.dcm").unlink()
    with pytest.raises(InputError, match="slices are missing"):
        load(tmp_path / "s")
