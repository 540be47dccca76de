# SPDX-License-Identifier: Apache-2.0
"""Same content: an image that lies in two splits under two names is a leak, as the same image in both is."""

import logging
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..formats.npz_reference import is_npz_reference
from ..formats.paths import is_folder
from .content import copies_among
from .items import INFERENCE, TRAINING, TRAINING_ABNORMAL, Splits, image_paths

_logger = logging.getLogger(__name__)


def check_contents_apart(splits: Splits, where: str | Path, fixed: bool = False) -> None:
    """Check that no file has a copy in another split; ``training`` and ``training_abnormal`` count as one.

    A folder of a DICOM series is compared by its first file. What is only inferred may be known.

    Args:
        splits: named items with absolute paths.
        where: the data set, named in errors.
        fixed: whether the splits are published ones, whose copies are told and stay.

    Raises:
        InputError: naming the first two files, unless the splits are fixed.
    """
    home = _homes(splits)
    copies = [pair for same in _alike(home) if (pair := _differing(same, home)) is not None]
    if not copies:
        return
    first, other = copies[0]
    found = f"{first} in {home[first]} and {other} in {home[other]} are the same image"
    if fixed:
        _logger.warning(
            "%s: %d images are in two splits, and results look better than they are; %s", where, len(copies), found
        )
        return
    raise _leak(found, where)


def check_sets_apart(datasets: Mapping[str, Splits]) -> None:
    """Check that no file of a data set has a copy in another split of another set.

    Args:
        datasets: splits by name of the data set.

    Raises:
        InputError: naming the first two files.
    """
    home = {file: (name, split) for name, splits in datasets.items() for file, split in _homes(splits).items()}
    for same in _alike({file: split for file, (_, split) in home.items()}):
        for other in same[1:]:
            if all(one != two for one, two in zip(home[same[0]], home[other], strict=True)):
                found = f"{same[0]} in {home[same[0]][1]} and {other} in {home[other][1]} are the same image"
                raise _leak(found, ", ".join(datasets))


def _homes(splits: Splits) -> dict[str, str]:
    return {
        file: TRAINING if name == TRAINING_ABNORMAL else name
        for name, items in splits.items()
        if name != INFERENCE
        for item in items
        for file in map(_first_file, image_paths(item))
        if file is not None
    }


def _differing(same: list[str], home: Mapping[str, str]) -> tuple[str, str] | None:
    other = next((file for file in same if home[file] != home[same[0]]), None)
    return None if other is None else (same[0], other)


def _leak(found: str, where: str | Path) -> InputError:
    return InputError(
        found,
        where=where,
        expected="every image in one split",
        remedy="Remove one of them; otherwise results look better than they are.",
    )


def _first_file(path: str) -> str | None:
    if is_npz_reference(path) or not is_folder(path):
        return path
    try:
        return min((str(file) for file in Path(path).iterdir() if not file.name.startswith(".")), default=None)
    except OSError:  # it may not be searched
        return None


def _alike(home: Mapping[str, str]) -> list[list[str]]:
    """Images of equal content that do not all lie in one split."""
    return copies_among(home, lambda names: len({home[name] for name in names}) > 1)
