# SPDX-License-Identifier: Apache-2.0
"""Layout of files: a single image, or a plain folder of images, for inference."""

from pathlib import Path

from ...formats.file_types import is_dicom, is_nifti, is_raster
from ..items import INFERENCE, Splits, make_item
from .listing import all_folders, find_images


def matches(path: Path, recursive: bool = False) -> bool:
    """Say whether ``path`` is an image, or a folder that holds images."""
    if path.is_file():
        return is_nifti(path) or is_raster(path) or is_dicom(path)
    return path.is_dir() and any(map(find_images, _searched(path, recursive)))


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
    return {INFERENCE: [make_item(image) for folder in _searched(path, recursive) for image in find_images(folder)]}


def _searched(path: Path, recursive: bool) -> list[Path]:
    return all_folders(path) if recursive else [path]
