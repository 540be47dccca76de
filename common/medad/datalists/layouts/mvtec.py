# SPDX-License-Identifier: Apache-2.0
"""Layouts of MVTec (``test/{good,<defect>}``, ``ground_truth``) and BMAD (``test/{good,Ungood}/{img,label}``)."""

from pathlib import Path

from ..items import TEST, TRAINING, VALIDATION, Item, Splits, make_item
from .folder_names import is_normal, split_of
from .folders import tell_labels
from .listing import MaskFolder, all_folders, image_files, visible_folders

_GOOD, _IMAGES, _MASKS, _GROUND_TRUTH = "good", "img", "label", "ground_truth"


def matches(path: Path) -> bool:
    """Say whether ``path`` has ``train/good`` or ``test/good``."""
    splits = [folder for folder, split in _split_folders(path).items() if split in (TRAINING, TEST)]
    return any(_is_good(kind) for folder in splits for kind in visible_folders(folder))


def read(path: Path) -> Splits:
    """List the images; MVTec's own layout has no validation split, BMAD calls it ``valid``.

    Args:
        path: the folder of one category.

    Returns:
        Items by split, with masks of abnormal images where there are any.

    Raises:
        InputError: if a folder of masks has none that belongs to an image.
    """
    splits: Splits = {}
    for folder, split in _split_folders(path).items():
        kinds = [kind for kind in visible_folders(folder) if split != TRAINING or _is_good(kind)]
        if split != TRAINING:
            tell_labels(folder, kinds)
        splits.setdefault(split, []).extend(item for kind in kinds for item in _labeled(kind, path))
    return splits


def searched(path: Path) -> list[Path]:
    """List the folders of images; masks are matched with them elsewhere."""
    splits = _split_folders(path)
    kinds = [below for folder in splits for kind in visible_folders(folder) for below in all_folders(kind)]
    return [path, *splits, *(kind for kind in kinds if kind.name != _MASKS)]


def _split_folders(path: Path) -> dict[Path, str]:
    if not path.is_dir():
        return {}
    splits = {folder: split_of(folder.name) for folder in visible_folders(path)}
    return {folder: split for folder, split in splits.items() if split in (TRAINING, VALIDATION, TEST)}


def _is_good(kind: Path) -> bool:
    return kind.name.casefold() == _GOOD


def _labeled(kind: Path, root: Path) -> list[Item]:
    images = image_files(kind / _IMAGES if (kind / _IMAGES).is_dir() else kind)
    if is_normal(kind.name):
        return [make_item(image, 0) for image in images]
    bmad = (kind / _IMAGES).is_dir()
    masks = MaskFolder(kind / _MASKS if bmad else root / _GROUND_TRUTH / kind.name)
    items = [make_item(image, 1, masks.find(image)) for image in images]
    masks.tell_unused()
    return items
