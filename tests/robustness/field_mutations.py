# SPDX-License-Identifier: Apache-2.0
"""Files that are well-formed but lie: header fields with wrong values, giant dimensions, NaN, infinity."""

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from byte_mutations import HEADER
from pydicom.encaps import encapsulate

Random = np.random.Generator

_SHORTS = (-32768, -1, 0, 1, 2, 3, 5, 255, 1000, 30000, 32767)
_FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e-30, 1e30, 3.4e38, 7.5)
_NIFTI_FIELDS: tuple[tuple[str, int, str, Sequence[float]], ...] = (
    *((f"dim{axis}", 40 + 2 * axis, "<h", _SHORTS) for axis in range(8)),
    ("datatype", 70, "<h", (0, 1, 2, 8, 16, 32, 64, 128, 256, 511, 768, 1024, 1280, 1536, 1792, 2048, 2304, 9999)),
    ("bitpix", 72, "<h", (0, 1, 8, 64, 128, -16)),
    *((f"pixdim{axis}", 76 + 4 * axis, "<f", _FLOATS) for axis in range(4)),
    ("vox_offset", 108, "<f", (*_FLOATS, 100.0, 353.0, 1e9)),
    ("scl_slope", 112, "<f", _FLOATS),
    ("scl_inter", 116, "<f", _FLOATS),
    ("qform_code", 252, "<h", _SHORTS),
    ("sform_code", 254, "<h", _SHORTS),
    *((f"quatern{axis}", 256 + 4 * axis, "<f", _FLOATS) for axis in range(6)),
    *((f"srow{index}", 280 + 4 * index, "<f", _FLOATS) for index in range(12)),
    ("sizeof_hdr", 0, "<i", (0, 347, 540, -1)),
)
_TIFF_VALUES = (0, 1, 2, 3, 7, 8, 255, 65535, 2**31 - 1, 2**32 - 1)
_DICOM_VALUES: tuple[tuple[str, Sequence[Any]], ...] = (
    ("Rows", (0, 1, 39, 65535, None)),
    ("Columns", (0, 1, 31, 65535, None)),
    ("NumberOfFrames", ("0", "-1", "2", "2147483647", "many", None)),
    ("BitsAllocated", (0, 1, 8, 12, 32, 64, 65535, None)),
    ("BitsStored", (0, 1, 17, 65535, None)),
    ("HighBit", (0, 16, 65535)),
    ("SamplesPerPixel", (0, 2, 3, 65535, None)),
    ("PhotometricInterpretation", ("", "RGB", "PALETTE COLOR", "YBR_FULL", "NONSENSE", None)),
    ("PixelRepresentation", (1, 2, 65535, None)),
    ("RescaleSlope", ("0", "NaN", "1e400", "-1", "slope", "")),
    ("RescaleIntercept", ("NaN", "1e400", "intercept")),
    ("ImagePositionPatient", ("", "1", "NaN\\0\\0", "a\\b\\c", "1e300\\0\\0")),
    ("ImageOrientationPatient", ("", "0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "1\\0\\0", "NaN\\0\\0\\0\\1\\0")),
    ("PixelSpacing", ("0\\0", "-1\\1", "1", "NaN\\NaN", "x\\y", "1e-300\\1e300")),
    ("SeriesInstanceUID", ("", None)),
    ("SOPClassUID", ("", "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.66.4", "no class")),
    ("PixelData", (b"\0\0", None)),
)
_ITK_WORDS = (
    *(b"-1", b"0", b"1", b"2", b"4", b"99999999999", b"nan", b"1e400", b"", b"(1,0,0)", b"none", b"LIST", b"True"),
    *(b"False", b"/dev/zero", b"..", b"gzip", b"bzip2", b"ascii", b"hex", b"raw", b"block", b"MET_DOUBLE", b"LOCAL"),
)
_SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5",
    "nonsense",
)


def nifti_field(data: bytes, random: Random) -> bytes:
    """One to three header fields of a NIfTI file have values that they must not have."""
    packed = data[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(data) if packed else data)
    for _ in range(int(random.integers(1, 4))):
        _, offset, kind, values = _NIFTI_FIELDS[int(random.integers(len(_NIFTI_FIELDS)))]
        struct.pack_into(kind, content, offset, values[int(random.integers(len(values)))])
    return gzip.compress(bytes(content), mtime=0) if packed else bytes(content)


def nifti_giant(data: bytes, random: Random) -> bytes:
    """A NIfTI file of some kilobytes that says it holds terabytes."""
    packed = data[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(data) if packed else data)
    sizes = [int(random.integers(1500, 32768)) for _ in range(3)]
    struct.pack_into("<8h", content, 40, 3, *sizes, 1, 1, 1, 1)
    return gzip.compress(bytes(content), mtime=0) if packed else bytes(content)


def nifti_not_finite(data: bytes, random: Random) -> bytes:
    """A float volume with NaN or infinity in some voxels."""
    packed = data[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(data) if packed else data)
    struct.pack_into("<hh", content, 70, 16, 32)
    struct.pack_into("<3h", content, 42, 32, 20, 3)  # half the voxels, twice the bytes
    for _ in range(int(random.integers(1, 9))):
        value = (np.nan, np.inf, -np.inf)[int(random.integers(3))]
        struct.pack_into("<f", content, 352 + 4 * int(random.integers(32 * 20 * 3)), value)
    return gzip.compress(bytes(content), mtime=0) if packed else bytes(content)


def png_header(data: bytes, random: Random) -> bytes:
    """Size, depth, color type or interlacing of a PNG are wrong; its checksum is right."""
    header = bytearray(data[16:29])
    field = int(random.integers(5))
    if field < 2:
        sizes = (0, 1, 31, 41, 60000, 2**31 - 1, 2**32 - 1)
        struct.pack_into(">I", header, 4 * field, sizes[int(random.integers(len(sizes)))])
    else:
        header[(8, 9, 12)[field - 2]] = int(random.integers(256)) if random.random() < 0.3 else int(random.integers(17))
    return data[:16] + bytes(header) + struct.pack(">I", zlib.crc32(b"IHDR" + bytes(header))) + data[33:]


def png_giant(data: bytes, random: Random) -> bytes:
    """A PNG of a kilobyte that says it has up to 170 million pixels, just below what Pillow refuses."""
    header = struct.pack(">II", *(int(size) for size in random.integers(8000, 13000, 2))) + data[24:29]
    return data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]


def jpeg_size(data: bytes, random: Random) -> bytes:
    """Rows, columns or components of a JPEG are wrong."""
    frame = next(index for index in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if index >= 0)
    damaged = bytearray(data)
    if random.random() < 0.2:
        damaged[frame + 9] = int(random.integers(256))
    else:
        struct.pack_into(">HH", damaged, frame + 5, *(int(size) for size in random.integers(0, 65536, 2)))
    return bytes(damaged)


def bmp_size(data: bytes, random: Random) -> bytes:
    """Rows and columns of a BMP are wrong."""
    damaged = bytearray(data)
    struct.pack_into("<ii", damaged, 18, *(int(size) for size in random.integers(-(2**31), 2**31, 2)))
    return bytes(damaged)


def tiff_tag(data: bytes, random: Random) -> bytes:
    """One to three entries of a TIFF directory have another tag, type, count or value."""
    damaged = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, directory)
    for _ in range(int(random.integers(1, 4))):
        entry = directory + 2 + 12 * int(random.integers(entries))
        value = _TIFF_VALUES[int(random.integers(len(_TIFF_VALUES)))]
        offset, kind = ((0, "<H"), (2, "<H"), (4, "<I"), (8, "<I"), (8, "<I"))[int(random.integers(5))]
        struct.pack_into(kind, damaged, entry + offset, value % (65536 if kind == "<H" else 2**32))
    return bytes(damaged)


def tiff_giant(data: bytes, random: Random) -> bytes:
    """A TIFF that says it has gigabytes of pixels."""
    damaged = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    for entry in range(directory + 2, directory + 2 + 12 * struct.unpack_from("<H", data, directory)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] in (256, 257, 278):
            struct.pack_into("<HII", damaged, entry + 2, 4, 1, int(random.integers(9000, 13000)))
    return bytes(damaged)


def tiff_circle(data: bytes, random: Random) -> bytes:
    """The directory of a TIFF names itself as the next one."""
    (directory,) = struct.unpack_from("<I", data, 4)
    end = directory + 2 + 12 * struct.unpack_from("<H", data, directory)[0]
    return data[:end] + struct.pack("<I", directory) + data[end + 4 :]


def dicom_tag(data: bytes, random: Random) -> bytes:
    """One to three attributes of a DICOM file are missing or have values that they must not have."""
    changes = [_DICOM_VALUES[int(random.integers(len(_DICOM_VALUES)))] for _ in range(int(random.integers(1, 4)))]
    return _with_tags(data, {tag: values[int(random.integers(len(values)))] for tag, values in changes})


def dicom_syntax(data: bytes, random: Random) -> bytes:
    """A DICOM file names a transfer syntax that its pixels do not have."""
    ds = pydicom.dcmread(BytesIO(data))
    syntax = _SYNTAXES[int(random.integers(len(_SYNTAXES)))].encode()
    old = str(ds.file_meta.TransferSyntaxUID).encode()
    width = len(old) + len(old) % 2
    return data.replace(old + b"\0" * (width - len(old)), syntax.ljust(width, b"\0")[:width], 1)


def dicom_giant(data: bytes, random: Random) -> bytes:
    """A DICOM file that says it has gigabytes of pixels."""
    frames = str(int(random.integers(1, 2**31 - 1))) if random.random() < 0.5 else "1"
    return _with_tags(data, {"Rows": 65535, "Columns": int(random.integers(20000, 65536)), "NumberOfFrames": frames})


def itk_word(data: bytes, random: Random) -> bytes:
    """One to three words in the header of a MetaImage or NRRD file are others."""
    damaged = data
    for _ in range(int(random.integers(1, 4))):
        words = list(re.finditer(rb"[^\s,()=:]+", damaged[:HEADER]))
        if not words:
            return damaged
        word = words[int(random.integers(len(words)))]
        other = _ITK_WORDS[int(random.integers(len(_ITK_WORDS)))]
        damaged = damaged[: word.start()] + other + damaged[word.end() :]
    return damaged


def itk_line(data: bytes, random: Random) -> bytes:
    """A line of the header of a MetaImage or NRRD file is missing, or stands there twice."""
    lines = data[:HEADER].split(b"\n")
    place = int(random.integers(len(lines)))
    lines[place : place + 1] = [lines[place]] * (2 * int(random.integers(2)))
    return b"\n".join(lines) + data[HEADER:]


def number_in_header(data: bytes, random: Random) -> bytes:
    """Four bytes near the beginning hold a number that they must not hold."""
    damaged = bytearray(data)
    form = (">I", "<I")[int(random.integers(2))]
    struct.pack_into(form, damaged, int(random.integers(60)), _TIFF_VALUES[int(random.integers(len(_TIFF_VALUES)))])
    return bytes(damaged)


def _with_tags(data: bytes, tags: dict[str, Any]) -> bytes:
    ds = pydicom.dcmread(BytesIO(data))
    out = BytesIO()
    mode = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        for keyword, value in tags.items():
            tag = pydicom.datadict.tag_for_keyword(keyword)
            if value is None:
                ds.pop(tag, None)
                continue
            if isinstance(value, bytes) and ds.file_meta.TransferSyntaxUID.is_compressed:
                value = encapsulate([value])
            ds[tag] = _element(tag, pydicom.datadict.dictionary_VR(tag).split(" ")[-1], value)
        pydicom.dcmwrite(out, ds, enforce_file_format=False)
    finally:
        pydicom.config.settings.writing_validation_mode = mode
    return out.getvalue()


def _element(tag: int, vr: str, value: Any) -> pydicom.DataElement:
    try:
        return pydicom.DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE)
    except ValueError:  # not even pydicom wants to write this as a number: as text then
        return pydicom.DataElement(tag, "LO", value, validation_mode=pydicom.config.IGNORE)


FIELD_MUTATIONS: dict[str, tuple[Callable[[bytes, Random], bytes], ...]] = {
    ".nii": (nifti_field, nifti_giant, nifti_not_finite),
    ".gz": (nifti_field, nifti_giant, nifti_not_finite),
    ".mha": (itk_word, itk_line),
    ".nrrd": (itk_word, itk_line),
    ".webp": (number_in_header,),
    ".jp2": (number_in_header,),
    ".gif": (number_in_header,),
    ".png": (png_header, png_giant),
    ".jpg": (jpeg_size,),
    ".jpeg": (jpeg_size,),
    ".bmp": (bmp_size,),
    ".tif": (tiff_tag, tiff_giant, tiff_circle),
    ".tiff": (tiff_tag, tiff_giant, tiff_circle),
    ".dcm": (dicom_tag, dicom_syntax, dicom_giant),
}
"""Mutations of header fields by the suffix of the file."""
