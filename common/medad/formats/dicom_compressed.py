# SPDX-License-Identifier: Apache-2.0
"""Compressed DICOM frames: the JPEG family, decoded by GDCM, which never sees a header from outside.

GDCM ends the process at some damaged headers and reserves gigabytes at others; each frame therefore goes through a
temporary file with a header of ours.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from ..errors import brief
from .dicom_fault import DicomFault

pydicom, _ = optional_import("pydicom")

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GRAY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")


def decode_compressed(data: Any) -> NDArray[np.generic]:
    """Decode the frames of a DICOM image whose pixels are encapsulated.

    Args:
        data: a ``pydicom.Dataset`` with pixels.

    Returns:
        Stored values ``(frame, row, column)`` or ``(frame, row, column, channel)``, as real numbers.

    Raises:
        DicomFault: if the attributes that describe the pixels contradict each other, or GDCM cannot decode them.
        ValueError: if fragments are damaged.
    """
    import itk

    attributes = _pixel_attributes(data)
    samples = attributes["SamplesPerPixel"]
    pixel = itk.F if samples == 1 else itk.Vector[itk.F, samples]
    frames = pydicom.encaps.generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1))
    shape = (data.Rows, data.Columns, *([samples] if samples > 1 else []))
    decoded = []
    display = itk.Object.GetGlobalWarningDisplay()
    itk.Object.SetGlobalWarningDisplay(False)
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "frame.dcm"
            for frame in frames:
                _write(path, frame, data.file_meta.TransferSyntaxUID, attributes)
                image = _image(path, pixel)  # a name of its own: the array is copied from its memory
                decoded.append(itk.array_from_image(image).reshape(shape))
    finally:
        itk.Object.SetGlobalWarningDisplay(display)
    return np.stack(decoded)


def _image(path: Path, pixel: Any) -> Any:
    import itk

    try:
        return itk.imread(str(path), pixel)
    except RuntimeError as error:  # it speaks of the header that it was given, which is ours
        raise DicomFault(brief(error)) from error


def _pixel_attributes(data: Any) -> dict[str, Any]:
    """Collect the attributes that describe the pixels, after a check of each: GDCM trusts them."""
    samples, bits = int(data.get("SamplesPerPixel") or 1), int(data.BitsAllocated)
    stored, sign = int(data.get("BitsStored") or bits), int(data.get("PixelRepresentation") or 0)
    colors = str(data.get("PhotometricInterpretation", ""))
    if colors not in {1: _GRAY, 3: _COLOR}.get(samples, ()):
        shown = colors if colors in (*_GRAY, *_COLOR) else "that is none"
        raise DicomFault(f"{samples} samples per pixel do not fit the color space {shown}")
    if bits not in (8, 16, 32) or not 1 <= stored <= bits or sign not in (0, 1):
        raise DicomFault(f"{bits} bits allocated, {stored} bits stored and pixel representation {sign} do not fit")
    attributes = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "MONOCHROME2" if samples == 1 else colors,  # indices of a palette stay indices
        "Rows": int(data.Rows),
        "Columns": int(data.Columns),
        "BitsAllocated": bits,
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": sign,
    }
    if samples > 1:
        attributes["PlanarConfiguration"] = 1 if data.get("PlanarConfiguration") == 1 else 0
    return attributes


def _write(path: Path, frame: bytes, syntax: Any, attributes: dict[str, Any]) -> None:
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = _SECONDARY_CAPTURE, "1.2.3"
    image = pydicom.Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = _SECONDARY_CAPTURE, "1.2.3"
    for name, value in attributes.items():
        setattr(image, name, value)
    image.PixelData = pydicom.encaps.encapsulate([frame])
    image["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, image, enforce_file_format=True)
