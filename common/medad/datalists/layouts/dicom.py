# SPDX-License-Identifier: Apache-2.0
"""Layout of DICOM series, each one case: a folder per series, or several series mixed in a folder."""

from pathlib import Path

from ..items import INFERENCE, Splits, make_item
from .listing import all_folders, dicom_images, has_dicom, image_files, visible_folders


def matches(path: Path, recursive: bool = False) -> bool:
    """Say whether DICOM files lie in ``path`` or its direct subfolders, and no other images lie in ``path``."""
    return path.is_dir() and not image_files(path) and any(map(has_dicom, _searched(path, recursive)))


def read(path: Path, recursive: bool = False) -> Splits:
    """List the series of ``path`` and its direct subfolders.

    Args:
        path: the folder.
        recursive: search folders at any depth.

    Returns:
        Split ``inference``. Cases are named by folder or file, never by what the header says about the patient.
    """
    return {INFERENCE: [make_item(image) for folder in _searched(path, recursive) for image in dicom_images(folder)]}


def _searched(path: Path, recursive: bool) -> list[Path]:
    return all_folders(path) if recursive else [path, *visible_folders(path)]
