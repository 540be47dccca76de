# SPDX-License-Identifier: Apache-2.0
"""From a path to a checked list of items: the layout is recognized, said in the log, and can be forced."""

from __future__ import annotations

import logging
from pathlib import Path

from ..errors import InputError
from .items import (
    CALIBRATION,
    INFERENCE,
    LABEL,
    MASK,
    SPLITS,
    TEST,
    TRAINING,
    VALIDATION,
    Item,
    Splits,
    describe,
    name_cases,
)
from .layouts import Layout, known_layouts
from .openable import is_file, require_openable
from .splits import check_files_exist, check_splits, hold_out_subjects, mark_normals_without_mask

logger = logging.getLogger(__name__)


def load_datalist(
    dataset_dir: str | Path,
    split: str,
    layout: str = "auto",
    recursive: bool = False,
    normals_only: bool = False,
    holdout_fraction: float = 0.0,
    seed: int = 0,
) -> list[Item]:
    """List the images of one split of a data set, whatever its layout.

    Args:
        dataset_dir: folder or file; a relative path starts at the working directory.
        split: ``training`` (normals), ``training_abnormal``, ``validation``, ``calibration``, ``test`` or
            ``inference``. ``calibration`` falls back on the normals of ``validation`` and never holds abnormal images.
            ``inference`` is all images of an unlabeled data set, or those of ``test`` without label and mask.
        layout: name of a layout, or ``auto`` to recognize it.
        recursive: search a plain folder at any depth, not only flat.
        normals_only: leave abnormal images out.
        holdout_fraction: above 0, that fraction of the training subjects becomes the validation split of a data set
            that has neither ``validation`` nor ``calibration``; they are then missing from ``training``. Use the same
            value for every split.
        seed: for the draw of the held-out subjects.

    Returns:
        Items ``{"image", "case", "subject_id", "label"?, "mask"?, "foreground"?}`` with absolute paths. In a split with
        masks, normal images without one have the mask ``""``: nothing is marked.

    Raises:
        InputError: if the data set cannot be used, or does not have the split.
    """
    if split not in SPLITS:
        raise InputError(
            f"unknown split {split!r}",
            where="split",
            expected=f"one of {', '.join(SPLITS)}",
            remedy="Correct the name.",
        )
    path = Path(dataset_dir).expanduser()
    if not is_file(path):  # a file that cannot be read costs its case only
        require_openable(path)
    path = path.resolve()
    chosen = _choose_layout(path, layout, recursive)
    splits = chosen.read(path)
    name_cases(splits, path if path.is_dir() else path.parent)
    check_splits(splits, path)
    counts = ", ".join(f"{name} {describe(items)}" for name, items in splits.items() if items)
    logger.info("%s: layout %s; %s", path, chosen.name, counts)
    if holdout_fraction:
        splits = _held_out(splits, holdout_fraction, seed)
    items = _select(splits, split, path)
    if normals_only:
        items = _normals(items, f"{split} of {path}")
    if split != INFERENCE:  # there a missing file costs its case only
        check_files_exist(items, path)
    return mark_normals_without_mask(items)


def _choose_layout(path: Path, name: str, recursive: bool) -> Layout:
    layouts = known_layouts(recursive)
    supported = "; ".join(f"{layout.name}: {layout.description}" for layout in layouts)
    if name == "auto":
        found = next((layout for layout in layouts if layout.matches(path)), None)
        if found is None:
            raise InputError(
                "no known layout recognized",
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


def _held_out(splits: Splits, fraction: float, seed: int) -> Splits:
    if splits.get(VALIDATION) or splits.get(CALIBRATION):
        logger.info("holdout_fraction is not used: the data set has a split of its own for validation")
        return splits
    if not splits.get(TRAINING):
        return splits
    held = hold_out_subjects(splits, fraction, seed)
    logger.info("held out for validation: %s; training: %s", describe(held[VALIDATION]), describe(held[TRAINING]))
    return held


def _select(splits: Splits, split: str, path: Path) -> list[Item]:
    if split == INFERENCE:
        items = splits.get(INFERENCE) or splits.get(TEST, [])
        items = [{key: value for key, value in item.items() if key not in (LABEL, MASK)} for item in items]
    elif split == CALIBRATION:
        name = CALIBRATION if splits.get(CALIBRATION) else VALIDATION
        items = _normals(splits.get(name, []), f"{name} of {path}")
    else:
        items = splits.get(split, [])
    if not items:
        present = ", ".join(name for name, items in splits.items() if items)
        held_out = split in (VALIDATION, CALIBRATION) and bool(splits.get(TRAINING))
        normal = "normal " if split == CALIBRATION else ""
        raise InputError(
            f"the split {split} is missing or has no {normal}images; there are images in {present}",
            where=path,
            expected=f"{normal}images in {'calibration or validation' if split == CALIBRATION else split}",
            remedy="Set holdout_fraction (for instance 0.2) to hold out training subjects, or add the split."
            if held_out
            else "Add the split, or give a data set that has it.",
        )
    return items


def _normals(items: list[Item], where: str) -> list[Item]:
    unlabeled = next((item for item in items if LABEL not in item), None)
    if unlabeled is not None:
        raise InputError(
            f"case {unlabeled['case']!r} has no label",
            where=where,
            expected="label 0 or 1 for every image, since only normals may be used here",
            remedy="Add the labels to the data list.",
        )
    return [item for item in items if item[LABEL] == 0]
