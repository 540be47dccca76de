# SPDX-License-Identifier: Apache-2.0
"""Same content: an image that lies in two splits under two names is a leak, as the same image in both is.

Sizes are compared first, then samples, and whole files only where both are equal: most data sets are never read.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from ..errors import InputError
from ..formats.npz_reference import is_npz_reference
from ..formats.paths import is_folder
from .items import INFERENCE, TRAINING, TRAINING_ABNORMAL, Splits, image_paths

_logger = logging.getLogger(__name__)

_SAMPLE, _CHUNK = 2**14, 2**20


def check_contents_apart(splits: Splits, where: str | Path, fixed: bool = False) -> None:
    """Check that no file has a copy in another split; ``training`` and ``training_abnormal`` count as one.

    A folder of a DICOM series is compared by its first file, images of an archive not at all. What is only inferred may
    be known.

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


def _homes(splits: Splits) -> dict[Path, str]:
    return {
        file: TRAINING if name == TRAINING_ABNORMAL else name
        for name, items in splits.items()
        if name != INFERENCE
        for item in items
        for file in map(_first_file, image_paths(item))
        if file is not None
    }


def _differing(same: list[Path], home: Mapping[Path, str]) -> tuple[Path, Path] | None:
    other = next((file for file in same if home[file] != home[same[0]]), None)
    return None if other is None else (same[0], other)


def _leak(found: str, where: str | Path) -> InputError:
    return InputError(
        found,
        where=where,
        expected="every image in one split",
        remedy="Remove one of them; otherwise results look better than they are.",
    )


def _first_file(path: str) -> Path | None:
    if is_npz_reference(path):
        return None
    if not is_folder(path):
        return Path(path)
    try:
        return min((file for file in Path(path).iterdir() if not file.name.startswith(".")), default=None)
    except OSError:  # it may not be searched
        return None


def _alike(home: Mapping[Path, str]) -> Iterable[list[Path]]:
    """Files of equal content that do not all lie in one split."""
    groups: list[list[Path]] = [list(home)] if len(set(home.values())) > 1 else []
    for key in (_size, _sample, _whole):
        groups = [part for group in groups for part in _parted(group, key) if len({home[file] for file in part}) > 1]
    return groups


def _parted(files: Iterable[Path], key: Callable[[Path], Hashable]) -> Iterable[list[Path]]:
    parts: dict[Hashable, list[Path]] = defaultdict(list)
    for file in files:
        value = key(file)
        if value:  # an empty or unreadable file is a copy of nothing
            parts[value].append(file)
    return parts.values()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except (OSError, ValueError):
        return 0


def _sample(file: Path) -> bytes:
    return _digest(file, file.stat().st_mtime_ns, whole=False)


def _whole(file: Path) -> bytes:
    return _digest(file, file.stat().st_mtime_ns, whole=True)


@lru_cache(maxsize=2**16)
def _digest(path: Path, modified: int, whole: bool) -> bytes:
    del modified  # part of the cache key only: every split of a data set is asked for on its own
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            if not whole:
                file.seek(max(0, (path.stat().st_size - _SAMPLE) // 2))  # the beginning is a header, the end background
                digest.update(file.read(_SAMPLE))
            else:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    except OSError:
        return b""
    return digest.digest()
