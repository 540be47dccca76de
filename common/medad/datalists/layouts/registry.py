# SPDX-License-Identifier: Apache-2.0
"""Known layouts, in the order in which they are tried."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import InputError
from ..items import Splits
from . import datalist_json, dicom, files, folders, manifest, medianomaly, medmnist, mvtec
from .listing import unread_files


@dataclass(frozen=True)
class Layout:
    """One way in which a data set can lie on disk.

    Attributes:
        name: forces the layout: ``load_datalist(..., layout=name)``.
        description: for messages.
        matches: says whether a path has this layout.
        read: lists the images of a path by split.
        searched: lists the folders in which images were looked for by their names; none where a list names them.
        fixed: whether the splits are published ones, which nobody changes.
    """

    name: str
    description: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Splits]
    searched: Callable[[Path], list[Path]] = lambda path: []
    fixed: bool = False


def known_layouts(recursive: bool = False) -> list[Layout]:
    """List all layouts, the more specific ones first.

    Args:
        recursive: whether a plain folder, or a folder of DICOM series, is searched at any depth.

    Returns:
        The layouts.
    """
    return [
        Layout("datalist_json", "a folder with datalist.json", datalist_json.matches, datalist_json.read),
        Layout(
            "manifest",
            "a folder with manifest.csv (file, label, split, cx, cy, radius)",
            manifest.matches,
            manifest.read,
        ),
        Layout("medmnist", "a MedMNIST .npz archive", medmnist.matches, medmnist.read, fixed=True),
        Layout(
            "medianomaly",
            "a MedIAnomaly data set (data.json with images/, BraTS2021, Camelyon16 or ISIC2018)",
            medianomaly.matches,
            medianomaly.read,
            fixed=True,
        ),
        Layout(
            "mvtec",
            "the MVTec or BMAD layout (train/good, test/<defect>, ground_truth/ or img/ and label/)",
            mvtec.matches,
            mvtec.read,
            mvtec.searched,
        ),
        Layout(
            "folders",
            "folders train/normal, test/normal, test/<other>, test/masks",
            folders.matches,
            folders.read,
            folders.searched,
        ),
        Layout(
            "dicom",
            "DICOM series (a folder per series, or mixed)",
            partial(dicom.matches, recursive=recursive),
            partial(dicom.read, recursive=recursive),
            partial(dicom.searched, recursive=recursive),
        ),
        Layout(
            "files",
            "a single image, or a folder of images",
            partial(files.matches, recursive=recursive),
            partial(files.read, recursive=recursive),
            partial(files.searched, recursive=recursive),
        ),
    ]


def choose_layout(path: Path, name: str = "auto", recursive: bool = False) -> Layout:
    """Recognize the layout of a data set, or check the one that is asked for.

    Args:
        path: folder or file.
        name: of a layout, or ``auto``.
        recursive: see :func:`known_layouts`.

    Returns:
        The layout.

    Raises:
        InputError: if the path has none, or not this one, or there is no such layout.
    """
    layouts = known_layouts(recursive)
    supported = "; ".join(f"{layout.name}: {layout.description}" for layout in layouts)
    if name == "auto":
        found = next((layout for layout in layouts if layout.matches(path)), None)
        if found is None:
            unread = [file.name for _, file in unread_files(path)] if path.is_dir() else []
            beside = f"; {len(unread)} files such as {unread[0]} are not read" if unread else ""
            raise InputError(
                f"no known layout recognized{beside}",
                where=path,
                expected=supported,
                remedy="Arrange the data in one of these ways; a plain folder is searched flat, unless recursive.",
            )
        return found
    forced = next((layout for layout in layouts if layout.name == name), None)
    if forced is None:
        raise InputError(f"unknown layout {name!r}", where="layout", expected=supported, remedy="Correct the name.")
    if not forced.matches(path):
        raise InputError(
            f"it does not have the layout {name}",
            where=path,
            expected=forced.description,
            remedy="Correct dataset_dir, or let the layout be recognized with layout auto.",
        )
    return forced
