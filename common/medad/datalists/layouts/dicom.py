# SPDX-License-Identifier: Apache-2.0
"""Layout of DICOM series, each one case: a folder per series, or several series mixed in a folder."""

from pathlib import Path

from ..items import INFERENCE, Splits, make_item
from .listing import all_folders, dicom_images, has_dicom, image_files, visible_folders


def matches(path: Path, recursive: bool = False) -> bool:
    """Say whether DICOM files lie in ``path`` or its direct subfolders, and no other images lie in ``path``.

    Where folders are searched at any depth, no other images may lie in any of them: they would not be read.
    """
    folders = searched(path, recursive)
    return any(map(has_dicom, folders)) and not any(map(image_files, folders if recursive else folders[:1]))


def read(path: Path, recursive: bool = False) -> Splits:
    """List the series of ``path`` and its direct subfolders.

    Args:
        path: the folder.
        recursive: search folders at any depth.

    Returns:
        Split ``inference``. Cases are named by folder or file, never by what the header says about the patient.
    """
    return {INFERENCE: [make_item(image) for folder in searched(path, recursive) for image in dicom_images(folder)]}


def searched(path: Path, recursive: bool = False) -> list[Path]:
    """List the folders that are looked into."""
    if not path.is_dir():
        return []
    return all_folders(path) if recursive else [path, *visible_folders(path)]
