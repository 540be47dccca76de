# SPDX-License-Identifier: Apache-2.0
"""From a path to an array with its geometry: the only room that knows file formats."""

from .dicom_frames import has_frame_positions
from .dicom_image import dicom_series_files
from .dicom_source import DicomSource, is_dicom_source, read_dicom_source, series_behind
from .file_types import has_geometry, is_dicom, is_nifti, is_raster, stem_of
from .image_array import ORIENTED
from .nifti_geometry import save_nifti
from .padding import without_padding
from .reader import DisplayedImageReader, MedicalImageReader

__all__ = [
    "ORIENTED",
    "DicomSource",
    "DisplayedImageReader",
    "MedicalImageReader",
    "dicom_series_files",
    "has_frame_positions",
    "has_geometry",
    "is_dicom",
    "is_dicom_source",
    "is_nifti",
    "is_raster",
    "read_dicom_source",
    "save_nifti",
    "series_behind",
    "stem_of",
    "without_padding",
]
