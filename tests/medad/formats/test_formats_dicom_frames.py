# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import DisplayedImageReader, MedicalImageReader
from medad.formats.dicom_frames import frame_headers, has_frame_positions
from medad.formats.dicom_series import read_header
from pydicom.dataset import Dataset

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)
FRAMES = np.stack([SLICE, SLICE + 100, SLICE + 200])


def load(path, reader=MedicalImageReader):
    image = reader()
    return image.get_data(image.read(str(path)))[0]


def test_each_frame_has_its_own_slope(enhanced):
    array = load(enhanced("a.dcm", FRAMES, [0, 10, 5], slopes=[1, 2, 0.5]))
    np.testing.assert_array_equal(array, np.stack([SLICE.T, 0.5 * SLICE.T + 100, 2 * SLICE.T + 200], axis=-1))


def test_each_frame_has_its_own_window(enhanced):
    path = enhanced("a.dcm", FRAMES, [0, 5, 10], slopes=[1, 2, 1], windows=[(6, 13), (212, 25), (900, 11)])
    shown = load(path, DisplayedImageReader)
    expected = [(SLICE - 5.5) / 12 + 0.5, ((2.0 * SLICE + 200) - 211.5) / 24 + 0.5, np.zeros(SLICE.shape)]
    ranges = (65535, 2 * 65535, 65535)  # of what could be stored
    for z, (frame, highest) in enumerate(zip(expected, ranges, strict=True)):
        np.testing.assert_allclose(shown[..., z].T, frame.clip(0, 1) * highest, atol=0.1)
    np.testing.assert_array_equal(load(path)[..., 0].T, SLICE)


def test_what_is_said_of_a_frame_goes_before_what_is_said_of_all(enhanced):
    shared, values, spacing = Dataset(), Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept, spacing.PixelSpacing = 7, 0, [9, 9]
    shared.PixelValueTransformationSequence, shared.PixelMeasuresSequence = [values], [spacing]
    path = enhanced("a.dcm", FRAMES, [0, 5, 10], slopes=[1, 2, 3], SharedFunctionalGroupsSequence=[shared])
    frames = frame_headers(read_header(path))
    assert [frame.RescaleSlope for frame in frames] == [1, 2, 3]
    assert [frame.PixelSpacing for frame in frames] == [[2, 3]] * 3
    for group in (header := read_header(path)).PerFrameFunctionalGroupsSequence:
        del group.PixelValueTransformationSequence
    assert [frame.RescaleSlope for frame in frame_headers(header)] == [7, 7, 7]


def test_a_classic_file_speaks_for_its_frames(dicom):
    header = read_header(dicom("a.dcm", FRAMES, NumberOfFrames=3))
    assert frame_headers(header) == [header] * 3
    assert not has_frame_positions(header)


def test_more_frames_than_descriptions(enhanced):
    assert has_frame_positions(read_header(enhanced("a.dcm", FRAMES, [0, 5, 10])))
    with pytest.raises(InputError, match="3 frames, but its header describes 2"):
        load(enhanced("b.dcm", FRAMES, [0, 5]))
