# SPDX-License-Identifier: Apache-2.0
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


def test_per_slice_rescale(dicom, tmp_path):
    dicom("s/a.dcm", SLICE, 0.0, RescaleSlope=1, RescaleIntercept=0)
    dicom("s/b.dcm", SLICE, 1.0, RescaleSlope="0.5", RescaleIntercept=0)
    np.testing.assert_allclose(load(tmp_path / "s")[0], np.stack([SLICE.T, SLICE.T * 0.5], axis=-1))


def test_color(dicom, tmp_path):
    pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    tags = dict.fromkeys(["RescaleSlope", "RescaleIntercept"])
    color = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    path = dicom("a.dcm", pixels, Rows=4, Columns=3, **tags, **color, **bits)
    image = LoadImageFiled("image")({"image": path})["image"]
    np.testing.assert_array_equal(image.numpy(), pixels.transpose(2, 1, 0))


def test_unused_bits_and_signs(dicom):
    twelve = np.asarray([[0xF001, 0x0FFF]], dtype=np.uint16)
    bits = {"BitsStored": 12, "HighBit": 11, "RescaleSlope": 1, "RescaleIntercept": 0}
    np.testing.assert_array_equal(load(dicom("a.dcm", twelve, **bits))[0], [[1], [4095]])
    signed = dicom("b.dcm", twelve, series="1.2.9", PixelRepresentation=1, **bits)
    np.testing.assert_array_equal(load(signed)[0], [[1], [-1]])


def test_palette_becomes_its_colors(dicom):
    pixels = np.asarray([[0, 1], [1, 0]], dtype=np.uint8)
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PhotometricInterpretation": "PALETTE COLOR"}
    for color, values in (("Red", [10, 200]), ("Green", [20, 100]), ("Blue", [30, 0])):
        tags[f"{color}PaletteColorLookupTableDescriptor"] = [2, 0, 8]
        tags[f"{color}PaletteColorLookupTableData"] = bytes(values)
    array, meta = load(dicom("a.dcm", pixels, RescaleSlope=None, RescaleIntercept=None, **tags))
    np.testing.assert_array_equal(array[0, 0], [10, 20, 30])
    np.testing.assert_array_equal(array[1, 0], [200, 100, 0])
    assert meta["original_channel_dim"] == -1


BAD_PIXELS = [
    ({"Rows": 0}, "no image"),
    ({"Rows": 60000, "Columns": 60000}, r"60000 x 60000 values, 7\.2 GB, but the file has"),
    ({"NumberOfFrames": 2**31 - 1}, "TB, but the file has"),
    ({"BitsAllocated": 0}, "pixels without a size: .*BitsAllocated 0"),
    ({"BitsStored": 99}, "cannot be decoded"),
    ({"RescaleSlope": "0"}, "a slope of 0"),
    ({"RescaleSlope": "NaN"}, "no finite number"),
    ({"PixelSpacing": [0, 0]}, "voxel sizes of 0, 0"),
    ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "voxel sizes of|singular"),
    ({"ImagePositionPatient": [1, 2]}, "a position of a slice that is none"),
    ({"PixelData": None}, "but the file has"),
]


@pytest.mark.parametrize(("tags", "message"), BAD_PIXELS)
@pytest.mark.filterwarnings("ignore")
def test_headers_that_do_not_fit_the_pixels(dicom, tags, message):
    with pytest.raises(InputError, match=message) as caught:
        load(dicom("a.dcm", np.zeros((20, 30), np.uint16), **tags))
    assert "a.dcm" in caught.value.where


def test_truncated_pixels(dicom):
    path = dicom("a.dcm", np.zeros((64, 64), np.uint16))
    Path(path).write_bytes(Path(path).read_bytes()[:-4000])
    with pytest.raises(InputError, match=r"announces 64 x 64 values, 8\.19 kB, but the file has 4\.85 kB"):
        load(path)
