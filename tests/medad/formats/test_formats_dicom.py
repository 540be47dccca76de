# SPDX-License-Identifier: Apache-2.0
"""DICOM series: which files belong together, order, rescale, geometry, and everything that must be refused."""

from __future__ import annotations

import os
import shutil
from io import BytesIO
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pydicom
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader, dicom_series_files
from medad.formats.dicom_pixels import decode_pixels
from medad.transforms import LoadImageFiled
from monai.data import ITKReader
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import EnhancedMRImageStorage

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(str(path)))


def test_folder_and_any_file_give_the_whole_series(dicom_series, tmp_path):
    expected = dicom_series("s")
    for path in ["s", "s/001.dcm", "s/003.dcm"]:
        np.testing.assert_array_equal(load(tmp_path / path)[0], expected)
    assert [Path(path).name for path in dicom_series_files(tmp_path / "s")] == ["003.dcm", "002.dcm", "001.dcm"]


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


def test_per_slice_rescale(dicom, tmp_path):
    dicom("s/a.dcm", SLICE, 0.0, RescaleSlope=1, RescaleIntercept=0)
    dicom("s/b.dcm", SLICE, 1.0, RescaleSlope="0.5", RescaleIntercept=0)
    np.testing.assert_allclose(load(tmp_path / "s")[0], np.stack([SLICE.T, SLICE.T * 0.5], axis=-1))


def test_single_image_is_2d_without_patient_data(dicom, tmp_path):
    dicom("a", SLICE)  # no suffix: recognized by content
    image = LoadImageFiled("image")({"image": tmp_path / "a"})["image"]
    np.testing.assert_array_equal(image.numpy(), 2.0 * SLICE.T[None] - 10)
    assert "secret" not in str(image.meta).lower()


def test_file_without_preamble(dicom, tmp_path):
    path = Path(dicom("a.dcm", SLICE))
    path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(load(path)[0], 2.0 * SLICE.T - 10)


def test_radiographs_of_one_series_stand_alone(dicom, tmp_path):
    for name in "ab":
        dicom(f"{name}.dcm", SLICE, ImagePositionPatient=None, ImageOrientationPatient=None)
    assert load(tmp_path / "a.dcm")[0].shape == (3, 4)


def test_color(dicom, tmp_path):
    pixels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
    tags = dict.fromkeys(["RescaleSlope", "RescaleIntercept"])
    color = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    path = dicom("a.dcm", pixels, Rows=4, Columns=3, **tags, **color, **bits)
    image = LoadImageFiled("image")({"image": path})["image"]
    np.testing.assert_array_equal(image.numpy(), pixels.transpose(2, 1, 0))


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
    ({"ImagePositionPatient": [1, 2]}, r"position \[1\.0, 2\.0\] of a slice"),
    ({"PixelData": None}, "but the file has"),
]


@pytest.mark.parametrize(("tags", "message"), BAD_PIXELS)
@pytest.mark.filterwarnings("ignore")
def test_headers_that_do_not_fit_the_pixels(dicom, tags, message):
    with pytest.raises(InputError, match=message) as caught:
        load(dicom("a.dcm", np.zeros((20, 30), np.uint16), **tags))
    assert "a.dcm" in caught.value.where


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


def test_unsupported_transfer_syntax(dicom, tmp_path):
    path = dicom("a.dcm", SLICE, syntax=pydicom.uid.HTJ2KLossless, PixelData=encapsulate([SLICE.tobytes()]))
    with pytest.raises(InputError, match=r"cannot be decoded \(transfer syntax High-Throughput"):
        load(path)


def test_truncated_pixels(dicom):
    path = dicom("a.dcm", np.zeros((64, 64), np.uint16))
    Path(path).write_bytes(Path(path).read_bytes()[:-4000])
    with pytest.raises(InputError, match=r"announces 64 x 64 values, 8\.19 kB, but the file has 4\.85 kB"):
        load(path)


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
    np.testing.assert_allclose(image[0].numpy(), pixels.T * slope + intercept, rtol=1e-6, atol=1e-3)


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
