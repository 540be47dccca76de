# SPDX-License-Identifier: Apache-2.0
"""Small files in every format, written for the tests of this room."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid


@pytest.fixture
def png(tmp_path: Path) -> Callable[..., str]:
    """Write a PNG; without an array, an asymmetric 8-bit image of 7 rows and 5 columns."""

    def write(name: str, array: np.ndarray | None = None) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(35, dtype=np.uint8).reshape(7, 5) if array is None else array).save(path)
        return str(path)

    return write


@pytest.fixture
def nifti(tmp_path: Path) -> Callable[..., str]:
    """Write a NIfTI file; without an affine, RAS with 1 mm."""

    def write(name: str, array: np.ndarray, affine: np.ndarray | None = None) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
        return str(path)

    return write


@pytest.fixture
def dicom(tmp_path: Path) -> Callable[..., str]:
    """Write one DICOM slice with rescale slope 2 and intercept -10; keyword arguments set or (``None``) delete tags."""

    def write(
        name: str,
        pixels: np.ndarray,
        z: float = 0.0,
        series: str = "1.2.3.4",
        syntax: Any = ExplicitVRLittleEndian,
        **tags: Any,
    ) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", CTImageStorage)
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = syntax
        ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.Modality = series, "1.2.3", "CT"
        ds.PatientName, ds.PatientID = "Secret^Name", "secret-id"
        ds.Rows, ds.Columns = pixels.shape[-2:]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [1.0, 2.0, z], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.5, 0.25], 9.0
        ds.RescaleSlope, ds.RescaleIntercept = 2, -10
        ds.PixelData = pixels.tobytes()
        for tag, value in tags.items():
            if value is None:
                delattr(ds, tag)
            else:
                setattr(ds, tag, value)
        pydicom.dcmwrite(path, ds, enforce_file_format=False)
        return str(path)

    return write


@pytest.fixture
def dicom_series(dicom: Callable[..., str]) -> Callable[..., np.ndarray]:
    """Write slices (4 rows, 3 columns), file names running against positions; return the volume ``(x, y, z)``."""

    def write(folder: str, positions: Sequence[float] = (0.0, 3.0, 6.0), **tags: Any) -> np.ndarray:
        volume = np.arange(12 * len(positions), dtype=np.uint16).reshape(len(positions), 4, 3)
        for index, z in enumerate(positions):
            dicom(f"{folder}/{len(positions) - index:03d}.dcm", volume[index], z, **tags)
        return 2.0 * volume.transpose(2, 1, 0) - 10

    return write


@pytest.fixture
def enhanced(dicom: Callable[..., str]) -> Callable[..., str]:
    """Write an enhanced file, voxels of 3 x 2 mm; of each frame, slope or window (center, width) where given."""

    def write(
        name: str,
        frames: np.ndarray,
        positions: Sequence[float],
        slopes: Sequence[float] = (),
        windows: Sequence[tuple[float, float]] = (),
        **tags: Any,
    ) -> str:
        groups = []
        for index, z in enumerate(positions):
            frame, position, orientation, measures, values, window = (Dataset() for _ in range(6))
            position.ImagePositionPatient = [0, 0, z]
            orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            measures.PixelSpacing, measures.SliceThickness = [2, 3], 4
            values.RescaleSlope, values.RescaleIntercept = slopes[index] if slopes else 1, 0
            values.RescaleType = "US"
            frame.PlanePositionSequence, frame.PlaneOrientationSequence = [position], [orientation]
            frame.PixelMeasuresSequence, frame.PixelValueTransformationSequence = [measures], [values]
            if windows:
                window.WindowCenter, window.WindowWidth = windows[index]
                frame.FrameVOILUTSequence = [window]
            groups.append(frame)
        top = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"]
        tags = {
            **dict.fromkeys(top),
            "SOPClassUID": EnhancedMRImageStorage,
            "NumberOfFrames": len(frames),
            "PerFrameFunctionalGroupsSequence": groups,
            "SharedFunctionalGroupsSequence": [Dataset()],
            **tags,
        }
        return dicom(name, frames, **tags)

    return write
