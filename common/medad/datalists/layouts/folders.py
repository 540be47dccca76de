# SPDX-License-Identifier: Apache-2.0
"""Layout of folders: ``train/normal``, ``validation/normal``, ``test/{normal,<any other name>,masks}``."""

import logging
from pathlib import Path

from ..items import TRAINING, TRAINING_ABNORMAL, Item, Splits, make_item
from .folder_names import MASKS, is_normal, sounds_normal, split_of
from .listing import MaskFolder, all_folders, find_images, visible_folders

_logger = logging.getLogger(__name__)


def matches(path: Path) -> bool:
    """Say whether one of its split folders has a folder of normal images."""
    return any(is_normal(kind.name) for folder in _split_folders(path) for kind in visible_folders(folder))


def read(path: Path) -> Splits:
    """List the images; any folder beside those of normal images and masks holds abnormal ones, also in ``train``.

    Args:
        path: the data set's folder.

    Returns:
        Items by split; abnormal images of ``train`` make ``training_abnormal``.

    Raises:
        InputError: if a folder of masks has none that belongs to an image.
    """
    splits: Splits = {}
    for folder, split in _split_folders(path).items():
        items = _labeled(folder)
        if split == TRAINING:
            splits.setdefault(TRAINING_ABNORMAL, []).extend(item for item in items if item["label"] == 1)
            items = [item for item in items if item["label"] == 0]
        splits.setdefault(split, []).extend(items)
    return splits


def searched(path: Path) -> list[Path]:
    """List the folders of images; masks are matched with them elsewhere."""
    folders = [kind for folder in _split_folders(path) for kind in _kinds(folder)]
    return [path, *_split_folders(path), *(below for folder in folders for below in all_folders(folder))]


def _split_folders(path: Path) -> dict[Path, str]:
    if not path.is_dir():
        return {}
    splits = {folder: split_of(folder.name) for folder in visible_folders(path)}
    return {folder: split for folder, split in splits.items() if split is not None}


def _kinds(folder: Path) -> list[Path]:
    return [kind for kind in visible_folders(folder) if kind.name.casefold() not in MASKS]


def _labeled(folder: Path) -> list[Item]:
    masks = [MaskFolder(kind) for kind in visible_folders(folder) if kind.name.casefold() in MASKS]
    kinds = _kinds(folder)
    tell_labels(folder, kinds)
    items = [
        make_item(image, 0 if is_normal(kind.name) else 1, next(filter(None, (m.find(image) for m in masks)), None))
        for kind in kinds
        for image in find_images(kind, series_folders=True)
    ]
    for each in masks:
        each.tell_unused()
    return items


def tell_labels(folder: Path, kinds: list[Path]) -> None:
    """Say which folders count as normal and which as abnormal."""
    normal = [kind.name for kind in kinds if is_normal(kind.name)]
    abnormal = [kind.name for kind in kinds if not is_normal(kind.name)]
    _logger.info("%s: normal: %s; abnormal: %s", folder, ", ".join(normal) or "-", ", ".join(abnormal) or "-")
    if abnormal and not normal:
        _logger.warning("%s: no folder in it is called normal, so all its images count as abnormal", folder)
    unclear = [name for name in abnormal if sounds_normal(name)]
    if unclear:
        _logger.warning("%s: %s counts as abnormal; call a folder of normal images normal", folder, ", ".join(unclear))
