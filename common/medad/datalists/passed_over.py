# SPDX-License-Identifier: Apache-2.0
"""Passed over: what lies in the folders of a data set and is not read is named."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..formats.file_types import SUPPORTED_FORMATS
from .items import FOREGROUND, INFERENCE, MASK, Splits, image_paths
from .layouts.listing import holds_images, image_files, unread_files, visible_folders

_logger = logging.getLogger(__name__)

_NAMED = 3


def tell_passed_over(root: Path, searched: Sequence[Path], splits: Splits) -> None:
    """Warn of files and folders that hold images, or may hold some, and are not part of the data.

    Args:
        root: the data set.
        searched: its folders that were searched.
        splits: what was found.
    """
    known = _known(splits)
    unread: dict[str, list[str]] = defaultdict(list)
    left: list[str] = []
    for folder in searched:
        for suffix, path in unread_files(folder):
            unread[suffix].append(_short(path, root))
        left += [_short(path, root) for path in image_files(folder) if str(path) not in known]
    places = set(searched)
    unsearched = [
        _short(child, root)
        for folder in searched
        for child in visible_folders(folder)
        if child not in places and str(child) not in known and holds_images(child)
    ]
    if unread:
        count = sum(map(len, unread.values()))
        kinds = ", ".join(f"{len(names)} {suffix} ({_some(names)})" for suffix, names in sorted(unread.items()))
        _logger.warning("%s: %d files are not read: %s; what is read: %s", root, count, kinds, SUPPORTED_FORMATS)
    if left:
        _logger.warning("%s: %d images are not part of the data: %s", root, len(left), _some(left))
    if unsearched and set(splits) == {INFERENCE}:  # elsewhere they hold masks
        _logger.warning(
            "%s: %d folders with images are not searched: %s; recursive searches a plain folder at any depth",
            root,
            len(unsearched),
            _some(unsearched),
        )


def _known(splits: Splits) -> set[str]:
    items = [item for items in splits.values() for item in items]
    return {path for item in items for path in (*image_paths(item), item.get(MASK, ""), item.get(FOREGROUND, ""))}


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
