# SPDX-License-Identifier: Apache-2.0
"""DICOM files that are refused, with texts of their own in attributes of the patient and in the one that is wrong."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from good_files import SLICES, head, write_dicom
from pydicom.datadict import DicomDictionary, dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian, HTJ2KLossless, JPEGLosslessSV1

PLANTED = "Zwetschge"
"""What every planted text begins with."""

_TEXTS = [
    tag
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if vr in ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT") and keyword and 0x08 <= tag >> 16 < 0x5000
]
_SOME = 15  # of so many attributes, which takes a tenth of the time of all
# every attribute that is read to find out what an image is, where it lies and what its values mean
_READ = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("FrameOfReferenceUID", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape", "ImagePositionPatient"),
    *("ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("AcquisitionNumber", "TemporalPositionIdentifier", "EchoNumbers", "EchoTime", "InversionTime", "FlipAngle"),
    *("ConvolutionKernel", "FrameIncrementPointer", "SharedFunctionalGroupsSequence", "PixelData"),
    *("PerFrameFunctionalGroupsSequence", "DetectorInformationSequence", "RedPaletteColorLookupTableDescriptor"),
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "PhotometricInterpretation": ("PALETTE COLOR", "RGB", "YBR_ICT"),
    "BitsAllocated": (0, 12, 64),
    "NumberOfFrames": (0, 9),
    "Rows": (0, 60000),
    "PixelSpacing": (None, [0, 0], [1]),
    "ImagePositionPatient": ([1, 2], [1e300, 0, 0]),
    "WindowWidth": (-1,),
    "RescaleSlope": (0,),
    "SOPClassUID": ("1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.66.4"),
    "PixelData": (None, b"\0\0"),
}
_UNDECODABLE = (JPEGLosslessSV1, HTJ2KLossless)


def write_planted(folder: Path, every: int = 1) -> list[Path]:
    """Write files that are refused, or read in spite of one strange attribute.

    Args:
        folder: new folder.
        every: how many kinds of them there are for one that is written.

    Returns:
        Paths of single images, images of several frames, and folders with a series of which one slice is strange.
    """
    folder.mkdir(parents=True)
    paths = []
    for number, (name, tags) in enumerate([*_changes()][::every]):
        single, frames, series = (folder / f"{kind}_{number:03d}_{name}" for kind in ("single", "frames", "series"))
        _write(single.with_suffix(".dcm"), head(40, 32), number, tags)
        _write(frames.with_suffix(".dcm"), head(SLICES, 40, 32), number, tags)
        series.mkdir()
        for place, pixels in enumerate(head(SLICES, 40, 32)):
            _write(series / f"{place}.dcm", pixels, place, tags if place == 1 else {}, f"1.2.9.{number}")
        paths += [single.with_suffix(".dcm"), frames.with_suffix(".dcm"), series]
    whole = paths[0].read_bytes()
    for number, size in enumerate(np.linspace(140, len(whole) - 1, 30 // every).astype(int)):
        paths.append(folder / f"cut_{number:03d}.dcm")
        paths[-1].write_bytes(whole[:size])
    return paths


def _changes() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "none", {}
    for name in _READ:
        for value in (f"{PLANTED}{name}", *_VALUES.get(name, ())):
            yield name, {name: value}
    for syntax in (f"{PLANTED}Syntax", *_UNDECODABLE):
        yield "TransferSyntaxUID", {"TransferSyntaxUID": syntax}


def _write(path: Path, pixels: np.ndarray, number: int, tags: dict[str, Any], series: str | None = None) -> None:
    syntax = tags.get("TransferSyntaxUID", ExplicitVRLittleEndian)
    plain = syntax if syntax in _UNDECODABLE else ExplicitVRLittleEndian
    write_dicom(path, pixels, number, syntax=plain, series=series or f"1.2.8.{number}")
    mode = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        with pydicom.config.disable_value_validation():
            ds = pydicom.dcmread(path)
            for tag in (*_TEXTS[:: 1 if number == 0 else _SOME], *map(tag_for_keyword, ("PatientName", "PatientID"))):
                if tag not in ds:
                    ds.add_new(tag, dictionary_VR(tag), f"{PLANTED}{tag % 10000}")
            for name, value in tags.items():
                _set(ds, name, value)
            pydicom.dcmwrite(path, ds, enforce_file_format=False)
        path.write_bytes(_with_its_type(path.read_bytes(), tags))
    finally:
        pydicom.config.settings.writing_validation_mode = mode


def _set(ds: Any, name: str, value: Any) -> None:
    tag = tag_for_keyword(name)
    if name == "TransferSyntaxUID":  # part of the file's own header
        return
    if value is None:
        ds.pop(tag, None)
    else:
        vr = "LO" if _is_planted(value) else dictionary_VR(tag).split(" ")[0]
        ds[tag] = pydicom.DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE)


def _with_its_type(data: bytes, tags: dict[str, Any]) -> bytes:
    """Give a planted text the type that the attribute must have: pydicom writes no text as a number."""
    for name, value in tags.items():
        tag, vr = tag_for_keyword(name), dictionary_VR(tag_for_keyword(name))
        if name == "TransferSyntaxUID" and _is_planted(value):
            old = ExplicitVRLittleEndian.encode() + b"\0"
            data = data.replace(old, value.encode().ljust(len(old), b"\0")[: len(old)], 1)
        elif _is_planted(value) and vr in ("CS", "DS", "IS", "UI", "SH"):
            start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
            data = data.replace(start + b"LO", start + vr.encode())
    return data


def _is_planted(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PLANTED)
