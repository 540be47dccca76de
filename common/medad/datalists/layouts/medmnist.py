# SPDX-License-Identifier: Apache-2.0
"""Layout of a MedMNIST archive: ``{train,val,test}_{images,labels}``, label 0 normal, others abnormal."""

from pathlib import Path

import numpy as np

from ...errors import InputError, brief
from ...formats.npz_reference import npz_reference
from ..items import CASE, TEST, TRAINING, TRAINING_ABNORMAL, VALIDATION, Item, Splits, make_item

_PARTS = {"train": TRAINING, "val": VALIDATION, "test": TEST}


def matches(path: Path) -> bool:
    """Say whether ``path`` is an ``.npz`` file."""
    return path.suffix.lower() == ".npz" and path.is_file()


def read(path: Path) -> Splits:
    """List references to the images of an archive.

    Args:
        path: the archive.

    Returns:
        Items by split; abnormal training images make ``training_abnormal``. Subjects are unknown.

    Raises:
        InputError: if the arrays are not those of MedMNIST.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            labels = {part: np.asarray(archive[f"{part}_labels"]) for part in _PARTS if f"{part}_images" in archive}
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for a damaged archive
        raise _malformed(path, f"it cannot be read ({brief(error)})") from error
    if not labels:
        raise _malformed(path, "no images found")
    splits: Splits = {}
    for part, column in labels.items():
        if column.reshape(len(column), -1).shape[1:] != (1,):
            raise _malformed(path, f"{part}_labels of shape {column.shape}")
        items = [_item(path, part, index, int(label != 0)) for index, label in enumerate(column.reshape(-1))]
        if part == "train":
            splits[TRAINING_ABNORMAL] = [item for item in items if item["label"] == 1]
            items = [item for item in items if item["label"] == 0]
        splits[_PARTS[part]] = items
    return splits


def _item(path: Path, part: str, index: int, label: int) -> Item:
    return {**make_item(npz_reference(path, f"{part}_images", index), label), CASE: f"{part}_{index:05d}"}


def _malformed(path: Path, found: str) -> InputError:
    return InputError(
        found,
        where=path,
        expected="a MedMNIST archive with train_images and train_labels (n, 1), val_* and test_*",
        remedy="Only data sets with one label per image can be used.",
    )
