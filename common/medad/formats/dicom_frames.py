# SPDX-License-Identifier: Apache-2.0
"""DICOM frames: one header for each, with what an enhanced file says of the frame, of all its frames, and of itself."""

from typing import Any

from monai.utils import optional_import

pydicom, _ = optional_import("pydicom")

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_OF_DETECTOR = "DetectorInformationSequence"  # where nuclear medicine keeps position and orientation
_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
}
_OF_FILE = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation"),
    *("ModalityLUTSequence", "VOILUTSequence", "PresentationLUTShape"),
)

FRAME_TAGS = (_SHARED, _PER_FRAME, _OF_DETECTOR, *(name for names in _GROUPS.values() for name in names))
"""What has to be read of a header to know the geometry of its frames."""


def frame_headers(header: Any) -> list[Any]:
    """Give each frame of a file a header of its own, in which geometry, rescale and window stand at top level.

    Args:
        header: of a classic file, with one frame or several, or of an enhanced one.

    Returns:
        One ``pydicom.Dataset`` per frame: what the functional groups say of the frame, else of all frames, else what
        the file says. A damaged file may have more or fewer of them than frames.
    """
    count = int(header.get("NumberOfFrames") or 1)
    shared = [part[0] for part in (header.get(_OF_DETECTOR), header.get(_SHARED)) if part]
    frames = list(header.get(_PER_FRAME) or [])
    if not shared and not frames:
        return [header] * count
    return [_merged(header, [*shared, frame]) for frame in frames] or [_merged(header, shared)] * count


def has_frame_positions(header: Any) -> bool:
    """Say whether an enhanced file tells where each of its frames lies."""
    return any(frame.get("PlanePositionSequence") for frame in header.get(_PER_FRAME) or [])


def _merged(header: Any, parts: list[Any]) -> Any:
    names = [*_OF_FILE, *(name for names in _GROUPS.values() for name in names)]
    merged = pydicom.Dataset()
    merged.file_meta, merged.filename = header.file_meta, getattr(header, "filename", "")
    _copy(header, names, merged)
    for part in parts:
        _copy(part, ("ImagePositionPatient", "ImageOrientationPatient"), merged)  # a detector has no groups
        for group, attributes in _GROUPS.items():
            if part.get(group):
                _copy(part[group].value[0], attributes, merged)
    return merged


def _copy(source: Any, names: Any, target: Any) -> None:
    for name in names:
        if name in source:
            target[name] = source[name]
