# SPDX-License-Identifier: Apache-2.0
"""Layout of folders: ``train/normal``, ``validation/normal``, ``test/{normal,<any other name>,masks}``."""

from pathlib import Path

from ..items import CALIBRATION, TEST, TRAINING, TRAINING_ABNORMAL, VALIDATION, Item, Splits, make_item
from .listing import MaskFolder, find_images, visible_folders

_NORMAL, _MASKS = "normal", "masks"
_FOLDERS = {"train": TRAINING, "validation": VALIDATION, "calibration": CALIBRATION, "test": TEST}


def matches(path: Path) -> bool:
    """Say whether ``path`` has a folder ``normal`` in one of its split folders."""
    return any((path / folder / _NORMAL).is_dir() for folder in _FOLDERS)


def read(path: Path) -> Splits:
    """List the images; any folder beside ``normal`` and ``masks`` holds abnormal ones, also in ``train``.

    Args:
        path: the data set's folder.

    Returns:
        Items by split; abnormal images of ``train`` make ``training_abnormal``.
    """
    splits: Splits = {}
    for folder, split in _FOLDERS.items():
        if (path / folder).is_dir():
            items = _labeled(path / folder)
            if split == TRAINING:
                splits[TRAINING_ABNORMAL] = [item for item in items if item["label"] == 1]
                items = [item for item in items if item["label"] == 0]
            splits[split] = items
    return splits


def _labeled(folder: Path) -> list[Item]:
    masks = MaskFolder(folder / _MASKS)
    return [
        make_item(image, 0 if kind.name == _NORMAL else 1, masks.find(image))
        for kind in visible_folders(folder)
        if kind.name != _MASKS
        for image in find_images(kind, series_folders=True)
    ]
