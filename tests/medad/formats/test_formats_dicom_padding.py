# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pydicom
import pytest
from medad.formats.dicom_padding import declared_padding
from medad.formats.reader import DisplayedImageReader, MedicalImageReader
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

HEAD = np.zeros((6, 20, 16), np.int16)
HEAD[:, 4:15, 4:12] = 1000 + 30 * np.arange(88).reshape(11, 8) % 700
CORNERS = np.add.outer(np.abs(np.arange(20) - 9.5) / 10, np.abs(np.arange(16) - 7.5) / 8) > 1.3


def header(**tags):
    ds = pydicom.Dataset()
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.PixelRepresentation = "MONOCHROME2", 16, 1
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PixelPaddingValue": -2000}, [1, 0, 0, 0]),
        ({"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1500}, [1, 1, 0, 0]),
        ({"PixelPaddingValue": -1500, "PixelPaddingRangeLimit": -2000}, [1, 1, 0, 0]),
        ({"PixelPaddingValue": 63536 - 65536}, [1, 0, 0, 0]),
        ({"PixelPaddingValue": 7, "BitsAllocated": 8, "PixelRepresentation": 0}, [0, 0, 0, 1]),
    ],
)
def test_a_value_or_a_range(tags, expected):
    stored = np.array([-2000, -1500, 0, 7])
    np.testing.assert_array_equal(declared_padding(stored, header(**tags)), np.array(expected, bool))


def test_the_value_is_read_in_the_type_of_the_pixels():
    for value in (63536, (-2000).to_bytes(2, "little", signed=True)):
        wrong = pydicom.Dataset()
        wrong.add_new(0x00280120, "UN" if isinstance(value, bytes) else "US", value)
        found = declared_padding(np.array([-2000, 0]), header(PixelPaddingValue=wrong.PixelPaddingValue))
        np.testing.assert_array_equal(found, [True, False])


def test_colors_and_files_that_declare_nothing_have_none():
    assert declared_padding(np.zeros(3), header()) is None
    assert declared_padding(np.zeros(3), header(PixelPaddingValue=0, PhotometricInterpretation="RGB")) is None


def volume(dicom, tmp_path, name, padding, reader=MedicalImageReader, **tags):
    for z, pixels in enumerate(HEAD):
        stored = np.where(CORNERS, np.int16(padding), pixels)
        tags = {"PixelPaddingValue": padding, "PixelRepresentation": 1, **tags}
        dicom(f"{name}/{z}.dcm", stored, 3.0 * z, RescaleIntercept=-1000, RescaleSlope=1, **tags)
    image = reader()
    return image.get_data(image.read(str(tmp_path / name)))[0]


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"syntax": DeflatedExplicitVRLittleEndian},
        {"syntax": ImplicitVRLittleEndian},
        {"PixelPaddingValue": -2100, "PixelPaddingRangeLimit": -1900},
    ],
)
@pytest.mark.parametrize("padding", [-2000, 0])
def test_a_series_has_air_where_it_has_padding(dicom, tmp_path, tags, padding):
    found = volume(dicom, tmp_path, "a", padding, **tags)
    np.testing.assert_array_equal(found, HEAD.transpose(2, 1, 0).astype(np.float32) - 1000)


def test_padding_is_dark_where_low_values_are_displayed_bright(dicom, tmp_path):
    tags = {"PhotometricInterpretation": "MONOCHROME1"}
    air = volume(dicom, tmp_path, "air", 32000, DisplayedImageReader, **tags)
    corners = np.broadcast_to(CORNERS.T[..., None], air.shape)
    assert air[corners].max() <= np.quantile(air[~corners], 0.01, method="nearest")


def test_frames_of_one_file(dicom):
    stored = np.where(CORNERS, np.int16(-2000), HEAD)
    path = dicom("f.dcm", stored, NumberOfFrames=6, PixelRepresentation=1, PixelPaddingValue=-2000, RescaleSlope=1)
    image = MedicalImageReader()
    assert image.get_data(image.read(path))[0].min() == -10
