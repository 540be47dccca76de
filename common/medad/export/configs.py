# SPDX-License-Identifier: Apache-2.0
"""Configurations of a release: overlays baked in, and the code found inside the bundle."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..configuration import PathLike, config_files, is_overlay_of
from ..errors import InputError
from ..files import user_path

BASES = ("train", "inference")
RELEASE_CODE = "$runpy.run_path(@bundle_root + '/scripts/medad/release_code.py')['use_release_code'](@bundle_root)"
"""First entry of ``initialize`` and ``run``; works from any directory and whatever else the process has loaded."""

_PACKAGE = "medad."
_NAMED_AT_A_RUN = ("evaluate", "calibrate", "calibrate_spread", "inference_ts", "multi_gpu_train", "multi_gpu_evaluate")
_NO_OVERLAYS = (*BASES, "metadata", *_NAMED_AT_A_RUN)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def require_bakeable(bundle: Path, overlays: Sequence[PathLike]) -> None:
    """Refuse overlays that do not become part of a release.

    Args:
        bundle: folder of the bundle.
        overlays: names of overlays of the bundle, or paths.

    Raises:
        InputError: if one does not exist, or says how to run a bundle and not what the weights were trained with.
    """
    bakeable = sorted({path.stem for path in (bundle / "configs").glob("*.json")}.difference(_NO_OVERLAYS))
    for overlay in overlays:
        name = Path(overlay).name.removesuffix(".json")
        if name in _NO_OVERLAYS:
            what = f"{name}.json cannot become part of a release"
            remedy = f"Leave {name} out here"
            remedy += "; the release has it, to be named when it is run." if name in _NAMED_AT_A_RUN else "."
        elif name in bakeable or user_path(overlay).is_file():
            continue
        else:
            what, remedy = f"there is no overlay {str(overlay)!r}", "Correct the name of the overlay."
        raise InputError(
            what,
            where=bundle / "configs",
            expected=f"one of {', '.join(bakeable)}, or the path of a JSON file",
            remedy=remedy,
        )


def release_configs(bundle: Path, overlays: Sequence[PathLike]) -> dict[str, dict[str, Any]]:
    """Make all configurations of a release.

    Args:
        bundle: folder of the bundle.
        overlays: overlays that the weights were trained with, and what else ``inference.json`` should say.

    Returns:
        Contents by file name; ``metadata.json`` is not among them.

    Raises:
        InputError: if an overlay does not exist or cannot be baked in.
    """
    paths = sorted((bundle / "configs").glob("*.json"))
    configs = {path.stem: read_json(path) for path in paths if path.stem != "metadata"}
    for base in BASES:
        wanted = [overlay for overlay in overlays if base == "inference" or is_overlay_of(base, overlay)]
        files = config_files(bundle, base, wanted)[1:]
        configs[base] = bake(configs[base], {file: read_json(Path(file)) for file in files})
    return {f"{name}.json": inside_the_bundle(config) for name, config in configs.items()}


def bake(config: Mapping[str, Any], overlays: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put overlays on a configuration, with the meaning that they have when a run names them.

    Args:
        config: the configuration.
        overlays: contents by file, in order.

    Returns:
        A new configuration.

    Raises:
        InputError: if an overlay reaches into a nested key; it would not fit both train.json and inference.json.

    Example:
        >>> bake({"a": 1, "b": 2}, {"cpu.json": {"b": 3}})
        {'a': 1, 'b': 3}
    """
    baked = dict(config)
    for file, overlay in overlays.items():
        nested = [key for key in overlay if "#" in key or "::" in key or key.startswith("+")]
        if nested:
            raise InputError(
                f"the key {nested[0]!r} reaches into a nested one",
                where=file,
                expected="an overlay of top-level keys, such as cpu.json",
                remedy="Leave it out here, and name it when the release is run.",
            )
        baked |= overlay
    return baked


def inside_the_bundle(config: Mapping[str, Any]) -> dict[str, Any]:
    """Point a configuration to the package inside the release.

    Args:
        config: any configuration of a bundle.

    Returns:
        The same with ``medad.`` targets as ``scripts.medad.``; where it initializes or runs something,
        :data:`RELEASE_CODE` comes first.
    """
    inside: dict[str, Any] = _retarget(config)
    for key in ("initialize", "run"):
        if key in inside:
            inside[key] = [RELEASE_CODE, *inside[key]]
    if "imports" in inside:
        inside["imports"] = [*inside["imports"], "$import runpy"]
    return inside


def _retarget(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _target(item) if key == "_target_" else _retarget(item) for key, item in value.items()}
    return [_retarget(item) for item in value] if isinstance(value, list) else value


def _target(name: Any) -> Any:
    return f"scripts.{name}" if isinstance(name, str) and name.startswith(_PACKAGE) else _retarget(name)
