# SPDX-License-Identifier: Apache-2.0
"""Data lists: from the path of a data set, or of several, to checked items of one split."""

import logging
import os
from pathlib import Path

from ..errors import InputError
from ..files import user_path
from ..formats.paths import is_file, require_openable
from .case_names import name_cases
from .checks import check_files_exist, check_splits, mark_normals_without_mask
from .holdout import hold_out_subjects
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
)
from .layouts import choose_layout
from .misplaced_circles import drop_misplaced_circles
from .passed_over import tell_passed_over
from .same_content import check_contents_apart, check_sets_apart
from .several_datasets import DatasetDirs, PathLike, check_images_apart, join_datasets, name_datasets

logger = logging.getLogger(__name__)

SINGLE = ""
"""Name of a data set that is the only one."""


def load_datalist(
    dataset_dir: PathLike | DatasetDirs,
    split: str,
    layout: str = "auto",
    recursive: bool = False,
    normals_only: bool = False,
    holdout_fraction: float = 0.0,
    seed: int = 0,
) -> list[Item]:
    """List the images of one split of a data set, or of several as one, whatever their layouts.

    Args:
        dataset_dir: folder or file; a relative path starts at the working directory. Several are a list, named like
            their folders (see :mod:`.several_datasets`), or a mapping from names to paths. Each is read and checked
            like a single one, and must have the split.
        split: ``training`` (normals), ``training_abnormal``, ``validation``, ``calibration``, ``test`` or
            ``inference``. ``calibration`` falls back on the normals of ``validation`` and never holds abnormal images.
            ``inference`` is all images of an unlabeled data set, or those of ``test`` without label and mask.
        layout: name of a layout, or ``auto`` to recognize it; the same for all.
        recursive: search a plain folder at any depth, not only flat.
        normals_only: leave abnormal images out.
        holdout_fraction: above 0, that fraction of the training subjects becomes the validation split of a data set
            that has neither ``validation`` nor ``calibration``; they are then missing from ``training``. Use the same
            value for every split.
        seed: for the draw of the held-out subjects.

    Returns:
        Items ``{"image", "case", "source_file", "subject_id", "label"?, "mask"?, "foreground"?}`` with absolute paths.
        In a split with masks, normal images without one have the mask ``""``: nothing is marked. ``circles`` on the
        background are left out, with a warning, see :func:`drop_misplaced_circles`. With several data sets every item
        also has its ``"dataset"``, ``case`` is ``<dataset>_<case>`` and ``subject_id`` is ``<dataset>/<subject>``.

    Raises:
        InputError: if a data set cannot be used, or does not have the split, or an image is in two of them.
    """
    if split not in SPLITS:
        raise InputError(
            f"unknown split {split!r}",
            where="split",
            expected=f"one of {', '.join(SPLITS)}",
            remedy="Correct the name.",
        )
    datasets = load_splits(dataset_dir, layout, recursive)
    if holdout_fraction:
        datasets = {name: _held_out(splits, holdout_fraction, seed) for name, splits in datasets.items()}
    if isinstance(dataset_dir, (str, os.PathLike)):
        return _checked(datasets[SINGLE], split, normals_only, str(user_path(dataset_dir).resolve()))
    paths = name_datasets(dataset_dir)
    return join_datasets(
        {
            name: _checked(splits, split, normals_only, f"data set {name} ({paths[name].resolve()})")
            for name, splits in datasets.items()
        }
    )


def load_splits(
    dataset_dir: PathLike | DatasetDirs, layout: str = "auto", recursive: bool = False
) -> dict[str, Splits]:
    """Read all splits of a data set, or of several, as they are.

    Args:
        dataset_dir: see :func:`load_datalist`.
        layout: name of a layout, or ``auto`` to recognize it; the same for all.
        recursive: search a plain folder at any depth, not only flat.

    Returns:
        Splits by name of the data set; a single one has the name ``""``. Items have absolute paths, a ``case`` and a
        ``subject_id``.

    Raises:
        InputError: if a data set cannot be used, or an image is in two of them.
    """
    if isinstance(dataset_dir, (str, os.PathLike)):
        return {SINGLE: _read(user_path(dataset_dir), layout, recursive)}
    datasets = {name: _read(path, layout, recursive) for name, path in name_datasets(dataset_dir).items()}
    check_images_apart(datasets)
    check_sets_apart(datasets)
    return datasets


def _read(path: Path, layout: str, recursive: bool) -> Splits:
    """Read all splits of one data set."""
    if not os.path.lexists(path):
        raise InputError(
            "it does not exist",
            where=path.absolute(),
            expected="the folder or file with the images",
            remedy="Correct dataset_dir.",
        )
    if not is_file(path):  # a file that cannot be read costs its case only
        require_openable(path)
    path = path.resolve()
    chosen = choose_layout(path, layout, recursive)
    splits = chosen.read(path)
    name_cases(splits, path if path.is_dir() else path.parent)
    check_splits(splits, path)
    check_contents_apart(splits, path, chosen.fixed)
    tell_passed_over(path, chosen.searched(path), splits)
    counts = ", ".join(f"{name} {describe(items)}" for name, items in splits.items() if items)
    logger.info("%s: layout %s; %s", path, chosen.name, counts)
    return splits


def _checked(splits: Splits, split: str, normals_only: bool, where: str) -> list[Item]:
    """Take one split of a data set."""
    items = _select(splits, split, where)
    if normals_only:
        items = _normals(items, f"{split} of {where}")
    if split != INFERENCE:  # there a missing file costs its case only
        check_files_exist(items, where)
        items = drop_misplaced_circles(items)
    return mark_normals_without_mask(items)


def _held_out(splits: Splits, fraction: float, seed: int) -> Splits:
    if splits.get(VALIDATION) or splits.get(CALIBRATION):
        logger.info("holdout_fraction is not used: the data set has a split of its own for validation")
        return splits
    if not splits.get(TRAINING):
        return splits
    held = hold_out_subjects(splits, fraction, seed)
    check_contents_apart({name: held[name] for name in (TRAINING, VALIDATION)}, "held-out images", fixed=True)
    logger.info("held out for validation: %s; training: %s", describe(held[VALIDATION]), describe(held[TRAINING]))
    return held


def _select(splits: Splits, split: str, where: str) -> list[Item]:
    if split == INFERENCE:
        items = splits.get(INFERENCE) or splits.get(TEST, [])
        items = [{key: value for key, value in item.items() if key not in (LABEL, MASK)} for item in items]
    elif split == CALIBRATION:
        name = CALIBRATION if splits.get(CALIBRATION) else VALIDATION
        items = _normals(splits.get(name, []), f"{name} of {where}")
    else:
        items = splits.get(split, [])
    if not items:
        present = ", ".join(name for name, items in splits.items() if items)
        held_out = split in (VALIDATION, CALIBRATION) and bool(splits.get(TRAINING))
        normal = "normal " if split == CALIBRATION else ""
        raise InputError(
            f"the split {split} is missing or has no {normal}images; there are images in {present}",
            where=where,
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
