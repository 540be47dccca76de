# SPDX-License-Identifier: Apache-2.0
from io import BytesIO
from pathlib import Path

import itk
import numpy as np
import pydicom
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.formats.dicom_pixels import decode_pixels
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def _jpeg(pixels, form, **options):
    out = BytesIO()
    Image.fromarray(pixels).save(out, format=form, **options)
    return encapsulate([out.getvalue()]), np.asarray(Image.open(BytesIO(out.getvalue())))


@pytest.mark.parametrize("bits", [8, 16])
def test_jpeg_2000_is_lossless(dicom, bits):
    pixels = np.random.default_rng(0).integers(0, 2**bits, (40, 32), dtype=f"u{bits // 8}")
    coded, _ = _jpeg(pixels, "JPEG2000", no_jp2=True)
    depth = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    path = dicom("a.dcm", pixels, syntax=pydicom.uid.JPEG2000Lossless, PixelData=coded, **depth)
    np.testing.assert_array_equal(load(path)[0], 2.0 * pixels.T - 10)


@pytest.mark.parametrize("color", [False, True])
def test_jpeg_agrees_with_pillow(dicom, color):
    ramp = np.add.outer(np.arange(40), np.arange(32)).astype(np.uint8)
    pixels = np.stack([ramp, 2 * ramp, 255 - ramp], axis=-1) if color else ramp
    coded, expected = _jpeg(pixels, "JPEG", quality=95)
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "Rows": 40, "Columns": 32}
    if color:
        tags |= {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    path = dicom("a.dcm", pixels, syntax=pydicom.uid.JPEGBaseline8Bit, PixelData=coded, **tags)
    found = (load(path)[0] + 10) / 2
    assert found.shape == expected.swapaxes(0, 1).shape
    np.testing.assert_allclose(found, expected.swapaxes(0, 1), atol=3)


SAME_PIXELS = ["MR_small_jpeg_ls_lossless", "MR_small_jp2klossless", "MR_small_RLE", "MR_small_bigendian"]


@pytest.mark.parametrize("name", [*SAME_PIXELS, "MR_small_implicit"])
def test_one_image_in_all_transfer_syntaxes(name):
    first, second = (get_testdata_file(f"{name}.dcm", download=False) for name in ("MR_small", name))
    np.testing.assert_array_equal(decode_pixels([first]), decode_pixels([second]))


@pytest.mark.parametrize("name", ["JPGExtended", "SC_rgb_jpeg_dcmtk", "SC_rgb_jpeg_gdcm", "SC_rgb_jls_lossy_line"])
def test_the_header_of_ours_changes_nothing(name):
    path = get_testdata_file(f"{name}.dcm", download=False)
    found = decode_pixels([path])
    image = itk.imread(path, itk.F if found.ndim == 3 else itk.Vector[itk.F, 3])
    np.testing.assert_array_equal(found, itk.array_from_image(image).reshape(found.shape))


def test_frames_of_compressed_files_are_kept_apart(dicom):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 40, 32), dtype=np.uint8)
    frames = [next(iter(pydicom.encaps.generate_frames(_jpeg(frame, "JPEG2000", no_jp2=True)[0]))) for frame in pixels]
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "NumberOfFrames": 3}
    path = dicom("a.dcm", pixels, syntax=pydicom.uid.JPEG2000Lossless, PixelData=encapsulate(frames), **tags)
    np.testing.assert_array_equal(load(path)[0], 2.0 * pixels.transpose(2, 1, 0) - 10)


def test_rle_deflated_and_big_endian(dicom):
    path = Path(dicom("a.dcm", SLICE))
    expected = load(path)[0]
    data = pydicom.dcmread(path)
    data.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    data.save_as(path)
    np.testing.assert_array_equal(load(path)[0], expected)
    deflated = dicom("b.dcm", SLICE, syntax=pydicom.uid.DeflatedExplicitVRLittleEndian, series="1.2.7")
    np.testing.assert_array_equal(load(deflated)[0], expected)
    swapped = SLICE.byteswap().tobytes()
    big = dicom("c.dcm", SLICE, syntax=pydicom.uid.ExplicitVRBigEndian, series="1.2.8", PixelData=swapped)
    np.testing.assert_array_equal(load(big)[0], expected)


JPEG_TAGS = [
    {"BitsStored": 65535},
    {"PixelRepresentation": 7},
    {"PhotometricInterpretation": "NONSENSE"},
    {"SamplesPerPixel": 2},
    {"BitsAllocated": 12},
]


@pytest.mark.parametrize("tags", JPEG_TAGS)
@pytest.mark.filterwarnings("ignore")
def test_gdcm_never_sees_attributes_that_would_end_the_process(dicom, tags):
    coded, _ = _jpeg(np.zeros((40, 32), np.uint8), "JPEG2000", no_jp2=True)
    depth = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, **tags}
    path = dicom("a.dcm", np.zeros((40, 32)), syntax=pydicom.uid.JPEG2000Lossless, PixelData=coded, **depth)
    with pytest.raises(InputError, match="do not fit"):
        load(path)


def test_unsupported_transfer_syntax(dicom, tmp_path):
    path = dicom("a.dcm", SLICE, syntax=pydicom.uid.HTJ2KLossless, PixelData=encapsulate([SLICE.tobytes()]))
    with pytest.raises(InputError, match=r"cannot be decoded \(transfer syntax High-Throughput"):
        load(path)
