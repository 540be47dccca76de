# SPDX-License-Identifier: Apache-2.0
"""Headers behind an image, and its volume laid out as their frames."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader, is_dicom_source, read_dicom_source
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def volume_of(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))[0]


def test_headers_of_a_series_follow_its_slices(dicom_series, tmp_path):
    dicom_series("s")  # file names run against positions
    source = read_dicom_source(tmp_path / "s")
    assert [header.ImagePositionPatient[2] for header in source.headers] == [0, 3, 6] and source.slices == [0, 1, 2]
    assert not any("PixelData" in header for header in source.headers)
    frames = source.frames(volume_of(tmp_path / "s"))
    pixels = [pydicom.dcmread(tmp_path / "s" / name).pixel_array for name in ("003.dcm", "002.dcm", "001.dcm")]
    np.testing.assert_array_equal(frames, 2.0 * np.stack(pixels) - 10)


def test_a_single_image_has_one_frame(dicom):
    source = read_dicom_source(dicom("a.dcm", SLICE, ImagePositionPatient=None, ImageOrientationPatient=None))
    assert len(source.headers) == 1 and source.slices == [0]
    np.testing.assert_array_equal(source.frames(SLICE.T), SLICE[None])


@pytest.mark.parametrize("positions", [[0, 10, 5], [10, 0, 5], None])
def test_frames_of_one_file_stay_in_the_order_of_the_file(dicom, positions):
    frames = np.stack([SLICE, SLICE + 100, SLICE + 200])
    tags = dict.fromkeys(["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
    if positions:
        tags["PerFrameFunctionalGroupsSequence"] = [Dataset() for _ in positions]
        for frame, z in zip(tags["PerFrameFunctionalGroupsSequence"], positions, strict=True):
            plane, orientation, measures = Dataset(), Dataset(), Dataset()
            plane.ImagePositionPatient = [0, 0, z]
            orientation.ImageOrientationPatient, measures.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
            frame.PlanePositionSequence, frame.PlaneOrientationSequence = [plane], [orientation]
            frame.PixelMeasuresSequence = [measures]
    path = dicom("multi.dcm", frames, SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=3, **tags)
    source = read_dicom_source(path)
    assert len(source.headers) == 1
    np.testing.assert_array_equal(source.frames(volume_of(path)), 2.0 * frames - 10)


def test_what_comes_from_dicom(dicom_series, tmp_path):
    dicom_series("s")
    assert is_dicom_source(str(tmp_path / "s")) and is_dicom_source(str(tmp_path / "s" / "001.dcm"))
    for path in ("", "a.nii.gz", "a.png", "set.npz#images/3"):
        assert not is_dicom_source(path)


def test_what_the_reader_refuses_has_no_source(dicom_series, dicom, tmp_path: Path):
    dicom_series("s", (0.0, 3.0, 12.0))
    with pytest.raises(InputError, match="uneven slice spacing"):
        read_dicom_source(tmp_path / "s")
