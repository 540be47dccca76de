# SPDX-License-Identifier: Apache-2.0
"""DICOM references: headers made fit to be referred to, with what DICOM asks for of patient and study."""

import copy
import re
from collections.abc import Sequence
from typing import Any

from monai.utils import optional_import

from ..errors import InputError
from ..formats import has_frame_positions

pydicom, _ = optional_import("pydicom")

_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# what a result carries of patient and study, and which values DICOM allows
_CARRIED = {
    "PatientID": r".{1,64}",
    "PatientName": r".*",
    "PatientBirthDate": r"\d{8}",
    "PatientSex": r"[MFO]",
    "AccessionNumber": r".{1,16}",
    "StudyID": r".{1,16}",
    "StudyDate": r"\d{8}",
    "StudyTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
    "ReferringPhysicianName": r".*",
}
# what objects are made of: which image they refer to, and where its pixels lie
_IMAGE = (
    *_NEEDED,
    *("FrameOfReferenceUID", "Modality", "SeriesNumber", "SpecificCharacterSet"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SpacingBetweenSlices"),
    *("ImagerPixelSpacing", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_PIXELS = 0x0028  # group of rows, columns, bits, spacing


def referable(headers: Sequence[Any], where: str) -> list[Any]:
    """Copy of headers what a result needs to refer to them and to carry their patient and study.

    A result carries what DICOM asks for of patient and study, and nothing else that is told about them: no comments,
    diagnoses, descriptions, institutions, devices or further persons. An entry that is missing, or has a value that
    DICOM does not allow, is left empty, as DICOM wants it for what is not known.

    Args:
        headers: ``pydicom.Dataset`` of each slice of an image.
        where: the image, named in errors.

    Returns:
        Copies.

    Raises:
        InputError: if there is nothing to refer to.
    """
    in_space = len(headers) > 1 or "ImagePositionPatient" in headers[0]
    needed = [*_NEEDED, "FrameOfReferenceUID"] if in_space else _NEEDED
    missing = [name for name in needed if any(not header.get(name) for header in headers)]
    if missing:
        raise cannot_refer(f"no {', '.join(missing)} in its headers", where)
    if int(headers[0].get("NumberOfFrames") or 1) > 1 and not has_frame_positions(headers[0]):
        raise cannot_refer("several frames without positions of their own", where)
    if len({str(header.SeriesInstanceUID) for header in headers}) > 1:
        raise cannot_refer("its slices have a series UID each", where)
    if len(headers) > 1 and has_frame_positions(headers[0]):
        raise cannot_refer("its slices are enhanced files of one frame each", where)
    return [_reduced(header) for header in headers]


def _reduced(header: Any) -> Any:
    reduced = pydicom.Dataset()
    reduced.file_meta = header.file_meta
    reduced.update(header.group_dataset(_PIXELS))
    for name in (*_IMAGE, *_CARRIED):
        if name in header:
            reduced[name] = copy.deepcopy(header[name])
    for name, allowed in _CARRIED.items():
        value = str(reduced.get(name) or "").strip()
        if not value or not re.fullmatch(allowed, value):
            setattr(reduced, name, None)
    return reduced


def cannot_refer(what: str, where: str) -> InputError:
    """Build the error that says why there is no DICOM result; ``what`` must not quote a header."""
    return InputError(
        f"no DICOM result can be made: {what}",
        where=where,
        expected="a DICOM image with geometry, patient and study as the standard asks for",
        remedy="The other files of the case are complete; set dicom_output to False to do without DICOM.",
    )
