# SPDX-License-Identifier: Apache-2.0
"""All layouts, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..items import Splits
from . import datalist_json, dicom, files, folders, medianomaly, medmnist, mvtec


@dataclass(frozen=True)
class Layout:
    """One way in which a data set can lie on disk.

    Attributes:
        name: forces the layout: ``load_datalist(..., layout=name)``.
        description: for messages.
        matches: says whether a path has this layout.
        read: lists the images of a path by split.
    """

    name: str
    description: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Splits]


def known_layouts(recursive: bool = False) -> list[Layout]:
    """List all layouts, the more specific ones first.

    Args:
        recursive: whether a plain folder, or a folder of DICOM series, is searched at any depth.

    Returns:
        The layouts.
    """
    return [
        Layout("datalist_json", "a folder with datalist.json", datalist_json.matches, datalist_json.read),
        Layout("medmnist", "a MedMNIST .npz archive", medmnist.matches, medmnist.read),
        Layout(
            "medianomaly",
            "a MedIAnomaly data set (data.json with images/, BraTS2021, Camelyon16 or ISIC2018)",
            medianomaly.matches,
            medianomaly.read,
        ),
        Layout(
            "mvtec",
            "the MVTec or BMAD layout (train/good, test/<defect>, ground_truth/ or img/ and label/)",
            mvtec.matches,
            mvtec.read,
        ),
        Layout("folders", "folders train/normal, test/normal, test/<other>, test/masks", folders.matches, folders.read),
        Layout(
            "dicom",
            "DICOM series (a folder per series, or mixed)",
            partial(dicom.matches, recursive=recursive),
            partial(dicom.read, recursive=recursive),
        ),
        Layout(
            "files",
            "a single image, or a folder of images",
            partial(files.matches, recursive=recursive),
            partial(files.read, recursive=recursive),
        ),
    ]
