# SPDX-License-Identifier: Apache-2.0
"""Layouts of the MedIAnomaly benchmark: ``data.json`` with ``images/``, BraTS2021, Camelyon16, ISIC2018.

Reference:
    Cai et al., MedIAnomaly, Medical Image Analysis 2025, arXiv 2404.04518. The benchmark has no validation split.
"""

import csv
import json
import re
from pathlib import Path

from ...errors import InputError
from ..items import SUBJECT_ID, TEST, TRAINING, TRAINING_ABNORMAL, VALIDATION, Item, Splits, make_item
from .listing import image_files

_BRATS_SUBJECT = re.compile(r"(BraTS2021_\d+)_", re.IGNORECASE)
_JSON_SPLITS = {("train", "0"): TRAINING, ("train", "1"): TRAINING_ABNORMAL, ("test", "0"): TEST, ("test", "1"): TEST}
_ISIC = "ISIC2018_Task3"
_ISIC_SPLITS = {"Training": TRAINING, "Validation": VALIDATION, "Test": TEST}
_ISIC_NORMAL = "NV"


def matches(path: Path) -> bool:
    """Say whether ``path`` has one of the benchmark's four layouts."""
    return _is_json(path) or _is_brats(path) or _is_camelyon(path) or _is_isic(path)


def read(path: Path) -> Splits:
    """List the images; only BraTS2021 has masks and names its subjects.

    Args:
        path: the folder of one of the benchmark's data sets.

    Returns:
        Items by split.

    Raises:
        InputError: if ``data.json`` or the table of labels is malformed.
    """
    if _is_json(path):
        return _read_json(path)
    if _is_brats(path):
        return _read_brats(path)
    return _read_isic(path) if _is_isic(path) else _read_camelyon(path)


def _is_json(path: Path) -> bool:
    return (path / "data.json").is_file() and (path / "images").is_dir()


def _is_brats(path: Path) -> bool:
    return (path / "train").is_dir() and (path / "test" / "tumor").is_dir() and (path / "test" / "annotation").is_dir()


def _is_camelyon(path: Path) -> bool:
    ungood = path / "test" / "Ungood"
    return (path / "train" / "good").is_dir() and ungood.is_dir() and not (ungood / "img").is_dir()


def _is_isic(path: Path) -> bool:
    return any((path / f"{_ISIC}_{name}_Input").is_dir() for name in _ISIC_SPLITS)


def _read_json(path: Path) -> Splits:
    file = path / "data.json"
    splits: Splits = {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        for (part, label), split in _JSON_SPLITS.items():
            names = sorted(content.get(part, {}).get(label, []))
            splits.setdefault(split, []).extend(make_item(path / "images" / name, int(label)) for name in names)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"malformed ({type(error).__name__}: {error})",
            where=file,
            expected='{"train": {"0": [names]}, "test": {"0": [names], "1": [names]}}',
            remedy="Restore the file from the benchmark's archive.",
        ) from error
    return splits


def _read_brats(path: Path) -> Splits:
    annotations = path / "test" / "annotation"
    training = [_brats_item(image, 0) for image in image_files(path / "train")]
    normal = path / "test" / "normal"
    test = [_brats_item(image, 0) for image in image_files(normal)] if normal.is_dir() else []
    test += [
        _brats_item(image, 1, annotations / image.name.replace("flair", "seg"))
        for image in image_files(path / "test" / "tumor")
    ]
    return {TRAINING: training, TEST: test}


def _brats_item(image: Path, label: int, mask: Path | None = None) -> Item:
    item = make_item(image, label, mask)
    match = _BRATS_SUBJECT.match(image.name)
    if match:
        item[SUBJECT_ID] = match[1]
    return item


def _read_camelyon(path: Path) -> Splits:
    good = path / "test" / "good"
    test = [make_item(image, 0) for image in image_files(good)] if good.is_dir() else []
    test += [make_item(image, 1) for image in image_files(path / "test" / "Ungood")]
    return {TRAINING: [make_item(image, 0) for image in image_files(path / "train" / "good")], TEST: test}


def _read_isic(path: Path) -> Splits:
    splits: Splits = {}
    for name, split in _ISIC_SPLITS.items():
        folder = path / f"{_ISIC}_{name}_Input"
        if not folder.is_dir():
            continue
        labels = _isic_labels(path / f"{_ISIC}_{name}_GroundTruth" / f"{_ISIC}_{name}_GroundTruth.csv")
        items = [make_item(folder / f"{image}.jpg", label) for image, label in sorted(labels.items())]
        if split == TRAINING:
            splits[TRAINING_ABNORMAL] = [item for item in items if item["label"] == 1]
            items = [item for item in items if item["label"] == 0]
        splits[split] = items
    return splits


def _isic_labels(table: Path) -> dict[str, int]:
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return {row["image"]: 0 if float(row[_ISIC_NORMAL]) == 1 else 1 for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"cannot be read ({type(error).__name__}: {error})",
            where=table,
            expected=f"a table with the columns image and {_ISIC_NORMAL}",
            remedy="Restore the file from the ISIC 2018 archive.",
        ) from error
