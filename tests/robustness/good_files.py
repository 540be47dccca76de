# SPDX-License-Identifier: Apache-2.0
"""One small, intact image in every form that medad reads: what the mutants are made from."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import itk
import nibabel
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

ROWS, COLUMNS, SLICES = 40, 32, 3
SERIES = "1.2.3.4.5."
"""What the SeriesInstanceUID of all intact DICOM files begins with; one more digit tells them apart."""
Write = Callable[[Path], None]


def head(*shape: int, dtype: Any = np.uint16) -> np.ndarray:
    """A bright ellipsoid with texture on a dark ground, different in every pixel."""
    axes = np.meshgrid(*(np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in shape), indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    texture = np.random.default_rng(len(shape)).uniform(0.6, 1.0, shape)
    return (np.where(inside, texture, 0.02 * texture) * 250).astype(dtype)


def write_dicom(
    path: Path, pixels: np.ndarray, number: int = 0, syntax: Any = ExplicitVRLittleEndian, series: str = f"{SERIES}0"
) -> None:
    """Write a CT slice at position ``number`` of a series."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = series, "1.2.3", "CT"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0.0, 0.0, 2.0 * number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.RescaleSlope, ds.RescaleIntercept = [1.0, 1.0], 2.0, 2, -10
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        ds.NumberOfFrames = len(pixels)
    bits = 8 * pixels.itemsize
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelData = pixels.tobytes()
    if syntax == RLELossless:
        ds.compress(RLELossless, generate_instance_uid=False)
    elif syntax != ExplicitVRLittleEndian:
        ds.PixelData = encapsulate([_coded(pixels, syntax)])
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def _coded(pixels: np.ndarray, syntax: Any) -> bytes:
    """Compress with Pillow, or do not compress at all where it knows no such form."""
    form = {JPEGBaseline8Bit: "JPEG", JPEG2000Lossless: "JPEG2000"}.get(syntax)
    if form is None:
        return pixels.tobytes()
    out = BytesIO()
    Image.fromarray(pixels).save(out, format=form, **({"no_jp2": True} if form == "JPEG2000" else {"quality": 95}))
    return out.getvalue()


def _series(folder: Path) -> None:
    folder.mkdir()
    for number, pixels in enumerate(head(SLICES, ROWS, COLUMNS)):
        write_dicom(folder / f"{number}.dcm", pixels, number)


def _nifti(path: Path, *shape: int, dtype: Any = np.int16) -> None:
    nibabel.save(nibabel.Nifti1Image(head(*shape, dtype=dtype), np.diag([-1.0, -1.0, 2.0, 1.0])), path)


def _by_itk(path: Path, compression: bool) -> None:
    itk.imwrite(itk.image_from_array(head(SLICES, ROWS, COLUMNS)), str(path), compression=compression)


GOOD: dict[str, Write] = {
    "short.nii": lambda path: _nifti(path, COLUMNS, ROWS, SLICES),
    "float.nii": lambda path: _nifti(path, COLUMNS, ROWS, SLICES, dtype=np.float32),
    "short.nii.gz": lambda path: _nifti(path, COLUMNS, ROWS, SLICES),
    "short.mha": lambda path: _by_itk(path, compression=False),
    "packed.mha": lambda path: _by_itk(path, compression=True),
    "short.nrrd": lambda path: _by_itk(path, compression=False),
    "packed.nrrd": lambda path: _by_itk(path, compression=True),
    "gray.webp": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path, lossless=True),
    "gray.jp2": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path),
    "gray.gif": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path),
    "gray.png": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path),
    "deep.png": lambda path: Image.fromarray(head(ROWS, COLUMNS)).save(path),
    "gray.jpg": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path, quality=95),
    "progressive.jpeg": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path, progressive=True),
    "gray.bmp": lambda path: Image.fromarray(head(ROWS, COLUMNS, dtype=np.uint8)).save(path),
    "plain.tif": lambda path: tifffile.imwrite(path, head(ROWS, COLUMNS)),
    "float.tif": lambda path: tifffile.imwrite(path, head(ROWS, COLUMNS, dtype=np.float32)),
    "deflate.tif": lambda path: Image.fromarray(head(ROWS, COLUMNS)).save(path, compression="tiff_deflate"),
    "pages.tiff": lambda path: tifffile.imwrite(path, head(SLICES, ROWS, COLUMNS), photometric="minisblack"),
    "deep_color.tif": lambda path: tifffile.imwrite(
        path, np.stack([head(ROWS, COLUMNS)] * 3, axis=-1), photometric="rgb"
    ),
    "single.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), series=f"{SERIES}1"),
    "rle.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), syntax=RLELossless, series=f"{SERIES}2"),
    "jpeg.dcm": lambda path: write_dicom(
        path, head(ROWS, COLUMNS, dtype=np.uint8), syntax=JPEGBaseline8Bit, series=f"{SERIES}3"
    ),
    "jpeg2000.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), syntax=JPEG2000Lossless, series=f"{SERIES}4"),
    "frames.dcm": lambda path: write_dicom(path, head(SLICES, ROWS, COLUMNS), series=f"{SERIES}5"),
    "series": _series,
}
"""How each intact image is written, by a name that has its suffix; ``series`` is a folder."""

UNDECODABLE: dict[str, Write] = {
    "htj2k.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), syntax=HTJ2KLossless, series="1.2.1"),
    "no_jpeg.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), syntax=JPEGLosslessSV1, series="1.2.2"),
    "unknown_syntax.dcm": lambda path: write_dicom(path, head(ROWS, COLUMNS), syntax="1.2.3.4.5.6", series="1.2.3"),
}
"""DICOM files whose pixels are compressed in a way that nobody here decodes, or say so wrongly."""
