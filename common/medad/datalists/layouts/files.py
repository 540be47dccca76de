# SPDX-License-Identifier: Apache-2.0
"""Layout of files: a single image, or a plain folder of images, for inference."""

from pathlib import Path

from ...formats.file_types import is_dicom, is_image_file
from ..items import INFERENCE, Splits, make_item
from .listing import all_folders, find_images


def matches(path: Path, recursive: bool = False) -> bool:
    """Say whether ``path`` is an image, or a folder that holds images."""
    if path.is_file():
        return is_image_file(path) or is_dicom(path)
    return any(map(find_images, searched(path, recursive)))


def read(path: Path, recursive: bool = False) -> Splits:
    """List the images; files whose names end in ``_mask`` or ``_seg`` are left out.

    Args:
        path: an image, or a folder.
        recursive: search folders at any depth.

    Returns:
        Split ``inference``.
    """
    if path.is_file():
        return {INFERENCE: [make_item(path)]}
    return {INFERENCE: [make_item(image) for folder in searched(path, recursive) for image in find_images(folder)]}


def searched(path: Path, recursive: bool = False) -> list[Path]:
    """List the folders that are looked into."""
    if not path.is_dir():
        return []
    return all_folders(path) if recursive else [path]
