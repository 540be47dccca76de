# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from pydicom.dataset import Dataset

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)
FRAMES = np.stack([SLICE, SLICE + 100, SLICE + 200])


def load(path):
    image = MedicalImageReader()
    return image.get_data(image.read(str(path)))


@pytest.mark.parametrize("distance", [{"SpacingBetweenSlices": 0.4}, {"SliceThickness": 0.4}])
def test_frames_of_a_file_with_one_position_lie_along_its_normal(dicom, distance):
    tags = {"SliceThickness": None, "NumberOfFrames": 3, "FrameIncrementPointer": 0x00180050, **distance}
    array, meta = load(dicom("a.dcm", FRAMES, 100.0, RescaleSlope=1, RescaleIntercept=0, **tags))
    np.testing.assert_array_equal(array, FRAMES.transpose(2, 1, 0))
    expected = [[-0.25, 0, 0, -1], [0, -0.5, 0, -2], [0, 0, 0.4, 100], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected)


def test_position_and_orientation_of_a_detector(dicom):
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [1, 2, 3], [1, 0, 0, 0, 1, 0]
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "NumberOfFrames": 3}
    path = dicom("a.dcm", FRAMES, SpacingBetweenSlices=-4, DetectorInformationSequence=[detector], **tags)
    np.testing.assert_allclose(np.diag(load(path)[1]["affine"]), [-0.25, -0.5, 4, 1])


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"FrameIncrementPointer": 0x00181063}, "follow each other in time"),
        ({"FrameIncrementPointer": [0x00181065, 0x00180050]}, "follow each other in time"),
        ({"SliceThickness": None}, "are at no known distance"),
    ],
)
def test_frames_at_one_place_are_no_volume(dicom, tags, why):
    with pytest.raises(InputError, match=f"3 frames at one place that {why}"):
        load(dicom("a.dcm", FRAMES, NumberOfFrames=3, **tags))


def test_a_place_without_a_pixel_spacing_is_refused(dicom_series, tmp_path):
    dicom_series("s", PixelSpacing=None)
    with pytest.raises(InputError, match=r"s/\d+\.dcm: a position in space and no PixelSpacing"):
        load(tmp_path / "s")


def test_an_image_without_place_and_spacing_says_so(dicom, caplog):
    nowhere = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
    np.testing.assert_allclose(np.diag(load(dicom("a.dcm", SLICE, **nowhere))[1]["affine"]), [-1, -1, 1, 1])
    assert "1 mm is assumed" in caplog.text
    caplog.clear()
    path = dicom("b.dcm", SLICE, series="1.2.8", NominalScannedPixelSpacing=[0.2, 0.1], **nowhere)
    np.testing.assert_allclose(np.diag(load(path)[1]["affine"]), [-0.1, -0.2, 1, 1])
    assert not caplog.text


def test_numbers_that_are_none(dicom):
    with pytest.raises(InputError, match="a spacing of a slice that is none"):
        load(dicom("a.dcm", SLICE, PixelSpacing=[1]))


def test_enhanced_files_of_one_frame_each_are_a_volume(enhanced, tmp_path):
    for index, z in enumerate([10, 0, 5]):
        enhanced(f"s/{index}.dcm", FRAMES[index : index + 1], [z], slopes=[index + 1])
    array, meta = load(tmp_path / "s")
    np.testing.assert_array_equal(array, np.stack([2 * (SLICE + 100), 3 * (SLICE + 200), SLICE]).transpose(2, 1, 0))
    np.testing.assert_allclose(np.diag(meta["affine"]), [-3, -2, 5, 1])
