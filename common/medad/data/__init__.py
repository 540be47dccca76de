# SPDX-License-Identifier: Apache-2.0
"""Files in, dictionaries of tensors out: the only room that knows file formats and folder layouts."""

from __future__ import annotations

from .checks import CheckImaged
from .circles import DrawCirclesd, drop_misplaced_circles, read_circles
from .colors import collapse_equal_colors
from .datalist import load_datalist, load_splits
from .dataset import CaseDataset, last_batch_is_single, loader_batch_size, training_dataset
from .dicom_geometry import planes_of_frames
from .dicom_image import dicom_series_files
from .dicom_source import DicomSource, is_dicom_source, read_dicom_source
from .feature_dataset import FeatureDataset
from .formats import is_dicom, is_nifti, is_raster, stem_of
from .items import Item, Splits
from .layouts import Layout, known_layouts
from .load import LoadImageFiled
from .load_mask import LoadMaskd
from .loader import CaseLoader, collate_cases
from .localized import class_weights, localized_items
from .orientation import OrientVolumed
from .plain_error_loader import PlainErrorLoader
from .reader import DisplayedImageReader, MedicalImageReader
from .splits import check_files_exist, check_splits, draw_order, hold_out_subjects
from .training_axes import require_axes

__all__ = [
    "CaseDataset",
    "CaseLoader",
    "CheckImaged",
    "DicomSource",
    "DisplayedImageReader",
    "DrawCirclesd",
    "FeatureDataset",
    "Item",
    "Layout",
    "LoadImageFiled",
    "LoadMaskd",
    "MedicalImageReader",
    "OrientVolumed",
    "PlainErrorLoader",
    "Splits",
    "check_files_exist",
    "check_splits",
    "class_weights",
    "collapse_equal_colors",
    "collate_cases",
    "dicom_series_files",
    "draw_order",
    "drop_misplaced_circles",
    "hold_out_subjects",
    "is_dicom",
    "is_dicom_source",
    "is_nifti",
    "is_raster",
    "known_layouts",
    "last_batch_is_single",
    "load_datalist",
    "load_splits",
    "loader_batch_size",
    "localized_items",
    "planes_of_frames",
    "read_circles",
    "read_dicom_source",
    "require_axes",
    "stem_of",
    "training_dataset",
]
