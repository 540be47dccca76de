# SPDX-License-Identifier: Apache-2.0
"""A configuration of a bundle, with overlays and overrides, and without a misspelled key.

MONAI adds a key that it does not know to the configuration, where nothing uses it; here it is an error.
"""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from monai.bundle import ConfigParser, ReferenceResolver

from ..errors import InputError, MedadError, reason, unwrap_errors
from ..files import user_path
from .data_values import as_data, data_overrides

PathLike: TypeAlias = str | os.PathLike[str]

_NO_OVERLAYS = {
    "inference": ("metadata", "train", "inference", "evaluate", "calibrate", "multi_gpu_train"),
    "train": ("metadata", "train", "inference", "output_heatmap", "output_bins", "inference_ts"),
}
"""Configurations of a bundle that do not go on top of each base; on inference no training does, ``train_*``."""


def config_files(bundle: PathLike, base: str, overlays: Sequence[PathLike] = ()) -> list[str]:
    """Find a base configuration of a bundle and the overlays to put on it.

    Args:
        bundle: folder of the bundle.
        base: ``"inference"`` or ``"train"``.
        overlays: names of overlays of the bundle, such as ``"cpu"``, or paths of JSON files.

    Returns:
        Paths, base first.

    Raises:
        InputError: if the folder is no bundle, or it has no such overlay.
    """
    configs = user_path(bundle) / "configs"
    file = configs / f"{base}.json"
    if not file.is_file():
        raise InputError(
            f"no bundle there: it has no configs/{base}.json",
            where=user_path(bundle).resolve(),
            expected="the folder of a bundle, such as bundles/<name>",
            remedy="Correct the path of the bundle.",
        )
    if isinstance(overlays, str):
        overlays = [overlays]
    return [str(file), *(_overlay(configs, base, os.fspath(overlay)) for overlay in overlays)]


def read_config(
    bundle: PathLike, base: str, overlays: Sequence[PathLike], overrides: Mapping[str, Any]
) -> ConfigParser:
    """Read a configuration of a bundle.

    Args:
        bundle: folder of the bundle; becomes ``bundle_root``.
        base: see :func:`config_files`.
        overlays: see :func:`config_files`.
        overrides: values by key; ``#`` or ``::`` reaches into a nested one. Values are data, never expressions.

    Returns:
        The configuration; nothing of it is built yet.

    Raises:
        InputError: if the bundle, an overlay or a key does not exist.
    """
    config = ConfigParser()
    files = config_files(bundle, base, overlays)
    try:
        config.read_config(files)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(
            f"cannot be put together ({type(error).__name__}: {error})",
            where=", ".join(files),
            expected="JSON files, each fitting the one before",
            remedy="Correct the files, or leave an overlay out.",
        ) from error
    for key in overrides:
        _require_key(config, key, f"{base}.json")
    config.update({**data_overrides(overrides), "bundle_root": as_data(user_path(bundle))})
    return config


def build(config: ConfigParser, key: str) -> Any:
    """Build one part of a configuration.

    Args:
        config: the configuration.
        key: the part.

    Returns:
        The object or value; the same one at every call.

    Raises:
        InputError: if values do not fit, with the reason that the part gives.
    """
    try:
        with unwrap_errors():
            return config.get_parsed_content(key)
    except MedadError:
        raise
    except Exception as error:
        raise InputError(
            f"{key} cannot be built ({reason(error)})",
            where="configuration",
            expected="overlays and values that fit each other",
            remedy="Correct the value, or leave it out.",
        ) from error


def is_overlay_of(base: str, overlay: PathLike) -> bool:
    """Say whether an overlay is made for a base configuration; one with a name of its own is taken to be.

    Args:
        base: see :func:`config_files`.
        overlay: name or path.

    Returns:
        ``False`` for ``"output_heatmap"`` on ``"train"``, for instance.
    """
    name = Path(overlay).name.removesuffix(".json")
    return name not in _NO_OVERLAYS[base] and not (base == "inference" and name.startswith("train_"))


def _overlay(configs: Path, base: str, overlay: str) -> str:
    known = {path.stem: path for path in sorted(configs.glob("*.json")) if is_overlay_of(base, path.stem)}
    path = known.get(overlay.removesuffix(".json"), user_path(overlay))
    if not path.is_file():
        raise InputError(
            f"there is no overlay {overlay!r}",
            where=configs,
            expected=f"one of {', '.join(known)}, or the path of a JSON file",
            remedy="Correct the name of the overlay.",
        )
    return str(path)


def _require_key(config: ConfigParser, key: str, where: str) -> None:
    """Refuse a key that nothing reads; a component may get any argument, and refuses those it does not have."""
    place = config.get()
    parts = ReferenceResolver.split_id(key)
    for part in parts:
        names = [str(name) for name in _names(place)]
        if part not in names:
            if isinstance(place, dict) and "_target_" in place and part == parts[-1]:
                return
            raise _unknown_key(where, key, part, [name for name in names if not name.startswith("_")])
        place = place[part] if isinstance(place, dict) else place[int(part)]


def _names(place: Any) -> Iterable[Any]:
    if isinstance(place, dict):
        return place
    return range(len(place)) if isinstance(place, list) else ()


def _unknown_key(where: str, key: str, part: str, names: list[str]) -> InputError:
    near = difflib.get_close_matches(part, names, n=1)
    instead = f"one of {', '.join(names)}" if names else "a value there, not another key"
    return InputError(
        f"there is no key {key!r}",
        where=where,
        expected=f"{near[0]!r} in place of {part!r}, perhaps" if near else instead,
        remedy="Correct the key; what each means stands in docs/reference/config_keys.md.",
    )
