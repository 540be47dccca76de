# SPDX-License-Identifier: Apache-2.0
"""Layouts of MVTec (``test/{good,<defect>}``, ``ground_truth``) and BMAD (``test/{good,Ungood}/{img,label}``)."""

from pathlib import Path

from ..items import TEST, TRAINING, VALIDATION, Item, Splits, make_item
from .listing import MaskFolder, image_files, visible_folders

_GOOD, _IMAGES, _MASKS, _GROUND_TRUTH = "good", "img", "label", "ground_truth"
_TEST_FOLDERS = {"valid": VALIDATION, "validation": VALIDATION, "test": TEST}


def matches(path: Path) -> bool:
    """Say whether ``path`` has ``train/good`` or ``test/good``."""
    return (path / "train" / _GOOD).is_dir() or (path / "test" / _GOOD).is_dir()


def read(path: Path) -> Splits:
    """List the images; MVTec's own layout has no validation split, BMAD calls it ``valid``.

    Args:
        path: the folder of one category.

    Returns:
        Items by split, with masks of abnormal images where there are any.
    """
    splits: Splits = {}
    good = path / "train" / _GOOD
    if good.is_dir():
        splits[TRAINING] = [make_item(image, 0) for image in image_files(_image_folder(good))]
    for folder, split in _TEST_FOLDERS.items():
        if (path / folder).is_dir():
            kinds = visible_folders(path / folder)
            splits.setdefault(split, []).extend(item for kind in kinds for item in _labeled(kind, path))
    return splits


def _labeled(kind: Path, root: Path) -> list[Item]:
    normal = kind.name == _GOOD
    bmad = (kind / _IMAGES).is_dir()
    masks = MaskFolder(kind / _MASKS if bmad else root / _GROUND_TRUTH / kind.name)
    return [
        make_item(image, 0 if normal else 1, None if normal else masks.find(image))
        for image in image_files(_image_folder(kind))
    ]


def _image_folder(kind: Path) -> Path:
    return kind / _IMAGES if (kind / _IMAGES).is_dir() else kind
