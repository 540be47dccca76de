# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from monai.data import ITKReader
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def test_geometry_in_closed_form_and_as_monai(dicom_series, tmp_path):
    dicom_series("s")
    array, meta = load(tmp_path / "s")
    expected = [[-0.25, 0, 0, -1], [0, -0.5, 0, -2], [0, 0, 3, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected)
    reader = ITKReader()
    monai_array, monai_meta = reader.get_data(reader.read(str(tmp_path / "s")))
    np.testing.assert_array_equal(array, monai_array)
    np.testing.assert_allclose(meta["affine"], monai_meta["affine"])


def test_oblique_series(dicom, tmp_path):
    row, column = np.asarray([0.8, 0.6, 0.0]), np.asarray([0.0, 0.0, -1.0])
    normal = np.cross(row, column)
    for index in range(3):
        position = [float(value) for value in np.asarray([5.0, 6.0, 7.0]) + 2.0 * index * normal]
        dicom(
            f"s/{index}.dcm",
            SLICE + 100 * index,
            ImagePositionPatient=position,
            ImageOrientationPatient=[*row, *column],
        )
    array, meta = load(tmp_path / "s")
    np.testing.assert_array_equal(array[..., 2], 2.0 * (SLICE.T + 200) - 10)
    expected = np.asarray([-5.0, -6.0, 7.0]) + [-1, -1, 1] * (2 * 0.25 * row + 1 * 0.5 * column + 2 * 2.0 * normal)
    np.testing.assert_allclose(nib.affines.apply_affine(meta["affine"], [2, 1, 2]), expected, atol=1e-6)


def enhanced(dicom, positions, slopes=(1, 1, 1)):
    frames = np.stack([SLICE + 100 * index for index in range(len(positions))])
    frame_groups = []
    for z, slope in zip(positions, slopes, strict=True):
        frame, position, orientation, measures, values = (Dataset() for _ in range(5))
        position.ImagePositionPatient = [0, 0, z]
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing, measures.SliceThickness = [2, 3], 4
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, 0, "US"
        frame.PlanePositionSequence, frame.PlaneOrientationSequence = [position], [orientation]
        frame.PixelMeasuresSequence, frame.PixelValueTransformationSequence = [measures], [values]
        frame_groups.append(frame)
    classic = dict.fromkeys(
        ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"]
    )
    return dicom(
        "multi.dcm",
        frames,
        SOPClassUID=EnhancedMRImageStorage,
        NumberOfFrames=len(positions),
        PerFrameFunctionalGroupsSequence=frame_groups,
        SharedFunctionalGroupsSequence=[Dataset()],
        **classic,
    )


def test_enhanced_multi_frame_is_sorted(dicom):
    array, meta = load(enhanced(dicom, [0, 10, 5]))
    np.testing.assert_array_equal(array, np.stack([SLICE.T, SLICE.T + 200, SLICE.T + 100], axis=-1))
    np.testing.assert_allclose(meta["affine"], np.diag([-3, -2, 5, 1]))


def test_enhanced_with_several_rescales_or_positions_twice(dicom):
    with pytest.raises(InputError, match="2 different rescale slopes"):
        load(enhanced(dicom, [0, 5, 10], (1, 1, 2)))
    with pytest.raises(InputError, match="mixed series"):
        load(enhanced(dicom, [0, 5, 5]))
