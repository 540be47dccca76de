# SPDX-License-Identifier: Apache-2.0
"""Complete DICOM images with planted identifiers, and results read back by position, for the tests of DICOM output."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

PLANTED = {
    "PatientName": "Zwetschgen^Adelheid",
    "PatientID": "PID-774411",
    "PatientBirthDate": "19370214",
    "AccessionNumber": "ACC-990077",
    "StudyID": "STUDY-5151",
    "ReferringPhysicianName": "Quendel^Doktor",
    "InstitutionName": "Klinik Hinterwald",
    "StudyDescription": "Kopfschmerz seit Montag",
    "PatientComments": "wohnt in der Birkenallee",
}
KINDS = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
}
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6)
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def header(kind: str, study: str, series: str) -> FileDataset:
    """A file without pixels and geometry, of one patient and study."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EnhancedMRImageStorage if kind == "enhanced" else KINDS[kind]
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = study, series, 4
    ds.Modality = "MR" if kind == "enhanced" else kind
    ds.PatientSex, ds.StudyDate, ds.StudyTime = "F", "20200102", "101112"
    for name, value in PLANTED.items():
        setattr(ds, name, value)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    return ds


def write_series(
    folder: Path,
    volume: np.ndarray,
    kind: str = "CT",
    orientation: tuple[float, ...] = AXIAL,
    reverse: bool = False,
    **tags: Any,
) -> list[str]:
    """Write ``(slices, rows, columns)`` as a series; ``None`` deletes a tag. Return the SOPInstanceUID of each slice.

    Args:
        folder: where to write; file names do not follow positions.
        volume: uint16.
        kind: modality.
        orientation: direction cosines of rows and columns.
        reverse: whether slices run against their normal.
        tags: tags to set.
    """
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    normal = np.cross(orientation[:3], orientation[3:]) * (-1 if reverse else 1)
    uids = []
    for index, pixels in enumerate(volume):
        ds = header(kind, study, series)
        ds.FrameOfReferenceUID, ds.InstanceNumber = frame, index + 1
        ds.ImageOrientationPatient = list(orientation)
        ds.ImagePositionPatient = [round(float(x), 6) for x in np.array([-20.0, 11.0, 7.0]) + index * 2.5 * normal]
        ds.PixelSpacing, ds.SliceThickness = [0.75, 0.5], 2.5
        _save(ds, pixels, folder / f"{(index * 7) % 11:02d}.dcm", tags)
        uids.append(str(ds.SOPInstanceUID))
    return uids


def write_single(path: Path, pixels: np.ndarray, kind: str = "CR", **tags: Any) -> None:
    """Write one radiograph ``(rows, columns)`` without a position in space."""
    ds = header(kind, generate_uid(), generate_uid())
    ds.ImagerPixelSpacing = [0.1, 0.1]
    _save(ds, pixels, path, tags)


def write_enhanced(path: Path, volume: np.ndarray, order: list[int]) -> None:
    """Write ``(slices, rows, columns)`` as one enhanced multi-frame file whose frames come in another order."""
    ds = header("enhanced", generate_uid(), generate_uid())
    ds.FrameOfReferenceUID, ds.NumberOfFrames = generate_uid(), len(volume)
    shared, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = list(OBLIQUE)
    measures.PixelSpacing, measures.SliceThickness = [0.75, 0.5], 2.5
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index in order:
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [
            round(float(x), 6) for x in index * 2.5 * np.cross(OBLIQUE[:3], OBLIQUE[3:]) + [1.0, 2.0, 3.0]
        ]
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = frames
    _save(ds, volume[order], path, {})


def _save(ds: FileDataset, pixels: np.ndarray, path: Path, tags: dict[str, Any]) -> None:
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.PixelData = pixels.astype(np.uint16).tobytes()
    for tag, value in tags.items():
        if value is None:
            delattr(ds, tag)
        else:
            ds.add_new(tag, pydicom.datadict.dictionary_VR(tag), value)
    pydicom.dcmwrite(path, ds, enforce_file_format=False)


def assert_same_by_position(nifti: Path, volume: Any) -> None:
    """Compare a NIfTI file with a ``highdicom.Volume`` voxel by voxel; what the volume lacks must be 0.

    The two are indexed in their own ways; only the position in the patient says which voxels belong together.
    """
    image = nibabel.load(nifti)
    values = np.asarray(image.dataobj)
    indices = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    to_volume = np.linalg.inv(volume.affine) @ _LPS @ image.affine
    found = indices @ to_volume[:3, :3].T + to_volume[:3, 3]
    np.testing.assert_allclose(found, found.round(), atol=0.01)
    found = found.round().astype(int)
    inside = ((found >= 0) & (found < volume.array.shape)).all(axis=1)
    assert inside.sum() == volume.array.size
    np.testing.assert_array_equal(volume.array[tuple(found[inside].T)], values[tuple(indices[inside].T)])
    assert not values[tuple(indices[~inside].T)].any()
