# SPDX-License-Identifier: Apache-2.0
"""Several data sets as one: what each is called, and how their items are told apart.

A set of a list is called like its folder, or its file without the suffix; where two of the list would have one name,
those two are called by their paths instead, with as many of the folders above as tell them apart
(``a/brain`` and ``b/brain`` are ``a_brain`` and ``b_brain``). A mapping names them as it likes.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from ..errors import InputError
from ..files import user_path
from ..formats.file_types import stem_of
from .case_names import safe_name, untaken
from .items import CASE, DATASET, SUBJECT_ID, Item, Splits, image_paths

PathLike: TypeAlias = str | os.PathLike[str]
DatasetDirs: TypeAlias = Sequence[PathLike] | Mapping[str, PathLike]

_NAMED_BY_STEM = (".npz", ".json")


def name_datasets(dataset_dirs: DatasetDirs) -> dict[str, Path]:
    """Give every data set a name.

    Args:
        dataset_dirs: paths, or paths by name.

    Returns:
        Absolute paths by name, in the order given.

    Raises:
        InputError: if there is none, one is given twice, or a name cannot be part of a file name.
    """
    if not isinstance(dataset_dirs, (Mapping, Sequence)):  # an option without its value is True
        raise _refusal(f"{dataset_dirs!r} given")
    given = list(dataset_dirs.values() if isinstance(dataset_dirs, Mapping) else dataset_dirs)
    if not given or not all(isinstance(path, (str, os.PathLike)) and str(path) for path in given):
        raise _refusal(f"{dataset_dirs!r} given")
    paths = [user_path(path).absolute() for path in given]
    names = list(dataset_dirs) if isinstance(dataset_dirs, Mapping) else _names(paths)
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise _refusal(f"{twice[0]} given twice")
    unfit = [name for name in names if not isinstance(name, str) or safe_name(name) != name]
    if unfit:
        raise _refusal(f"a data set called {unfit[0]!r}")
    if len({name.casefold() for name in names}) < len(names):
        raise _refusal(f"data sets called {', '.join(names)}")
    return dict(zip(names, paths, strict=True))


def check_images_apart(datasets: Mapping[str, Splits]) -> None:
    """Check that no image is in two data sets, in whatever splits: one could be trained on, and be tested there.

    Args:
        datasets: splits by name of the data set.

    Raises:
        InputError: naming the first such image.
    """
    home: dict[tuple[str, ...], str] = {}
    for name, splits in datasets.items():
        for item in (item for items in splits.values() for item in items):
            files = tuple(os.path.realpath(path) for path in image_paths(item))
            if home.setdefault(files, name) != name:
                raise InputError(
                    f"image {files[0]} is in the data sets {home[files]} and {name}",
                    where="dataset_dir",
                    expected="every image in one data set",
                    remedy="Take it out of one of them, or leave one of them out.",
                )


def join_datasets(datasets: Mapping[str, Sequence[Item]]) -> list[Item]:
    """Join the items of several data sets, each with the name of its set.

    Args:
        datasets: items of one split by name of the data set.

    Returns:
        Items with ``dataset``; ``case`` is ``<dataset>_<case>``, with a number where that is taken, and ``subject_id``
        is ``<dataset>/<subject>``.
    """
    taken: set[str] = set()
    joined: list[Item] = []
    for name, items in datasets.items():
        for item in items:
            case = untaken(safe_name(f"{name}_{item[CASE]}"), taken)
            taken.add(case.casefold())
            joined.append({**item, CASE: case, SUBJECT_ID: f"{name}/{item[SUBJECT_ID]}", DATASET: name})
    return joined


def _names(paths: Sequence[Path]) -> list[str]:
    """Name paths by their last part, those that share it by one part more, and so on."""
    parts = [[*path.parts[1:-1], _stem(path)] for path in (Path(os.path.normpath(path)) for path in paths)]
    depths = [1] * len(parts)
    while True:
        names = [safe_name("_".join(part[-depth:])) for part, depth in zip(parts, depths, strict=True)]
        counts = Counter(name.casefold() for name in names)
        longer = [i for i, name in enumerate(names) if counts[name.casefold()] > 1 and depths[i] < len(parts[i])]
        if not longer:
            return names
        for index in longer:
            depths[index] += 1


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in _NAMED_BY_STEM else stem_of(path)


def _refusal(what: str) -> InputError:
    return InputError(
        what,
        where="dataset_dir",
        expected="a path, different paths as a list, or as {name: path}; a name is made of letters, digits, '.', '_' "
        "and '-', at most 100 bytes",
        remedy="Correct dataset_dir.",
    )
