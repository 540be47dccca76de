# SPDX-License-Identifier: Apache-2.0
"""DICOM objects of a result: the mask as a Segmentation, the anomaly map as a Parametric Map.

Both refer to every frame of the image, lie in its frame of reference and belong to its patient and study. Each is a
series of its own. Its UIDs are hashes of the image's UIDs, the weights, the bundle and all values of the result, so
that the same result gets the same UIDs, and another result others.

References: DICOM PS3.3, A.51 (Segmentation IOD) and A.75 (Parametric Map IOD); PS3.5, B.2 (UIDs from UUIDs).
"""

import copy
import hashlib
import uuid
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from .. import __version__
from ..formats import DicomSource

_HIGHEST_SERIES = 10_000_000  # a hundred times as much still fits a DICOM integer string


@dataclass(frozen=True)
class Algorithm:
    """What made a result.

    Attributes:
        name: of the bundle, up to 64 characters.
        version: of the bundle.
        weights_sha256: hash of the weights.
    """

    name: str
    version: str
    weights_sha256: str


def _highdicom() -> ModuleType:
    """Import highdicom, which is optional, where it is used: other runs start without it."""
    module: ModuleType = optional_import("highdicom")[0]
    return module


def _codes() -> Any:
    return optional_import("pydicom.sr.codedict", name="codes")[0]


def segmentation(source: DicomSource, mask: NDArray[np.uint8], algorithm: Algorithm) -> Any:
    """Make a DICOM SEG with the one binary segment "Anomaly"; frames where nothing is marked are left out.

    Args:
        source: the image; headers as :func:`referable` gives them.
        mask: ``(x, y[, z])``, 0/1, on the grid of the image.
        algorithm: what made it.

    Returns:
        A ``highdicom.seg.Segmentation``.
    """
    hd, codes = _highdicom(), _codes()
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Anomaly",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=algorithm.name,
            family=codes.DCM.ArtificialIntelligence,
            version=algorithm.version,
            source="medad",
            parameters={"weights_sha256": algorithm.weights_sha256},
        ),
    )
    return hd.seg.Segmentation(
        source_images=source.headers,
        pixel_array=source.frames(mask),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        content_label="ANOMALY_MASK",
        content_description="Anomaly mask, research use only",
        **_common(source, mask, algorithm, "anomaly mask", series=1),
    )


def parametric_map(source: DicomSource, anomaly_map: NDArray[np.float32], algorithm: Algorithm, white: float) -> Any:
    """Make a DICOM Parametric Map of the anomaly map: the same float32 values, in arbitrary units.

    highdicom makes none without a position in space. That of a radiograph, which has none, lies in a frame of reference
    of its own.

    Args:
        source: the image; headers as :func:`referable` gives them.
        anomaly_map: ``(x, y[, z])``, at least 0, on the grid of the image.
        algorithm: what made it.
        white: value that viewers show white, whatever the image.

    Returns:
        A ``highdicom.pm.ParametricMap``.
    """
    hd, codes = _highdicom(), _codes()
    units = hd.pm.RealWorldValueMapping(
        lut_label="ANOMALY",
        lut_explanation="Anomaly per voxel, 0 is normal",
        unit=codes.UCUM.ArbitraryUnit,
        value_range=(0.0, float(np.finfo(np.float32).max)),
        slope=1.0,
        intercept=0.0,
    )
    return hd.pm.ParametricMap(
        source_images=_in_space(source.headers),
        pixel_array=source.frames(anomaly_map),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[units],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=white / 2, window_width=white)],
        content_label="ANOMALY_MAP",
        content_description="Anomaly map, research use only",
        **_common(source, anomaly_map, algorithm, "anomaly map", series=2),
    )


def _in_space(headers: list[Any]) -> list[Any]:
    """Give a single image without a position one in a frame of reference of its own."""
    first = headers[0]
    if "ImagePositionPatient" in first or "SharedFunctionalGroupsSequence" in first:
        return headers
    placed = copy.deepcopy(first)
    placed.FrameOfReferenceUID = _uid(f"frame of reference {first.SOPInstanceUID}")
    placed.ImagePositionPatient, placed.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    placed.PixelSpacing = first.get("PixelSpacing") or first.get("ImagerPixelSpacing") or [1, 1]
    placed.SliceThickness = 1
    return [placed]


def _common(source: DicomSource, array: NDArray[Any], algorithm: Algorithm, what: str, series: int) -> dict[str, Any]:
    """Arguments that both kinds of objects share."""
    number = int(source.headers[0].get("SeriesNumber") or 0)
    made_of = [header.SOPInstanceUID for header in source.headers]
    made_of += [algorithm.name, algorithm.version, algorithm.weights_sha256, __version__, what]
    content = hashlib.sha256(repr((made_of, array.shape)).encode() + array.tobytes()).hexdigest()
    return {
        "series_instance_uid": _uid(f"series {content}"),
        "sop_instance_uid": _uid(f"instance {content}"),
        "series_number": 100 * (number if 0 < number < _HIGHEST_SERIES else 0) + series,
        "instance_number": 1,
        "series_description": f"{what.capitalize()}, research use only",
        "manufacturer": "medad",
        "manufacturer_model_name": algorithm.name,
        "software_versions": (f"medad {__version__}", f"bundle {algorithm.version}"),
        "device_serial_number": algorithm.weights_sha256,
    }


def _uid(content: str) -> str:
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, content).int}"
