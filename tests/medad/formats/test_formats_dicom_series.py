# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.transforms import LoadImageFiled

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def test_file_without_preamble(dicom, tmp_path):
    path = Path(dicom("a.dcm", SLICE))
    path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(load(path)[0], 2.0 * SLICE.T - 10)


def test_radiographs_of_one_series_stand_alone(dicom, tmp_path):
    for name in "ab":
        dicom(f"{name}.dcm", SLICE, ImagePositionPatient=None, ImageOrientationPatient=None)
    assert load(tmp_path / "a.dcm")[0].shape == (3, 4)


def test_cache_notices_new_files(dicom_series, dicom, tmp_path):
    dicom_series("s")
    assert load(tmp_path / "s")[0].shape == (3, 4, 3)
    dicom("s/new.dcm", SLICE, 9.0)
    os.utime(tmp_path / "s", ns=(1, 1))
    assert load(tmp_path / "s")[0].shape == (3, 4, 4)


def test_two_series_in_a_folder(dicom_series, dicom, tmp_path):
    expected = dicom_series("s")
    dicom("s/other.dcm", SLICE, series="1.9.9")
    with pytest.raises(InputError, match=r"2 DICOM series.*3 files, first 001\.dcm; 1 files, first other\.dcm"):
        load(tmp_path / "s")
    np.testing.assert_array_equal(load(tmp_path / "s" / "002.dcm")[0], expected)


def test_channels_are_not_the_slices_of_one_series(dicom_series, tmp_path):
    dicom_series("s")
    with pytest.raises(InputError, match="same DICOM series"):
        LoadImageFiled("image")({"image": [f"{tmp_path}/s/001.dcm", f"{tmp_path}/s/002.dcm"]})


BAD_SERIES = [
    ({"z": 12.0}, "uneven slice spacing between 3 and 6 mm: slices are missing"),
    ({"z": 3.0}, "1 slices lie where another one lies"),
    ({"z": 9.0, "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "mixed series: slices of different orientations"),
    ({"z": 9.0, "PixelSpacing": [1, 1]}, "mixed series: slices of different pixel spacings"),
    ({"z": 9.0, "pixels": np.zeros((5, 3), np.uint16)}, "mixed series: slices of different sizes"),
]


@pytest.mark.parametrize(("last", "message"), BAD_SERIES)
def test_bad_series(dicom_series, dicom, tmp_path, last, message):
    dicom_series("s", (0.0, 3.0, 6.0))
    dicom("s/last.dcm", **{"pixels": SLICE, **last})
    with pytest.raises(InputError, match=message):
        load(tmp_path / "s")


def test_segmentation_and_report_are_no_images(dicom, tmp_path):
    path = dicom("seg.dcm", SLICE, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4")
    with pytest.raises(InputError, match="SEG"):
        load(path)
    nothing = dict.fromkeys(["Rows", "Columns", "PixelData"])
    path = dicom("report.dcm", SLICE, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", **nothing)
    with pytest.raises(InputError, match="no image in this DICOM file"):
        load(path)
    with pytest.raises(InputError, match="no DICOM image in the folder"):
        load(tmp_path)


def test_garbage_named_dcm(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"garbage" * 50)
    with pytest.raises(InputError):
        load(tmp_path / "a.dcm")
