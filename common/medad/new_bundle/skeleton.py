# SPDX-License-Identifier: Apache-2.0
"""Skeletons: the complete configs of a bundle, made from what all bundles share and what is its own.

A bundle's ``method.json`` names the skeleton that it is ``like``, which may be like another one; each is merged over
the one before. An overlay that is null is left out. A config holds what its ``run`` and its overlays refer to: values
first, then parts, each after the parts that it refers to.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import atomic_path

SKELETONS = Path(__file__).parent / "skeletons"
METHOD = "method.json"
_LINE = 140
_BASES = ("train", "inference")
_ON_INFERENCE = ("output_", "inference_")
_ON_TRAIN = ("evaluate", "calibrate", "multi_gpu_", "train_")
_LAST = ("initialize", "run")
_REFERENCE = re.compile(r"@(\w+)")

Json = dict[str, Any]


def kinds() -> list[str]:
    """List the skeletons that are bundles in themselves."""
    files = sorted(SKELETONS.glob("*.json"))
    return [path.stem for path in files if "abstract" not in json.loads(path.read_text("utf-8"))]


def read_method(path: Path, beside: Path | None = None) -> Json:
    """Read a method with everything that it is like.

    Args:
        path: a bundle's ``method.json``, or a skeleton.
        beside: folder of the bundles that it may be like; that of its own bundle by default.

    Returns:
        The merged description.

    Raises:
        InputError: if the file, or what it is like, is missing or no JSON.
    """
    beside = path.resolve().parents[1] if beside is None else beside
    try:
        own: Json = json.loads(path.read_text("utf-8"))
        base = own.get("like", "")
        skeleton = SKELETONS / f"{base}.json"
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"cannot be read ({type(error).__name__}: {error})",
            where=path,
            expected=f"a JSON file that is 'like' one of {', '.join(kinds())}, or like another bundle",
            remedy="Begin with python -m medad.new_bundle, and see docs/how_to/add_a_method.md.",
        ) from None
    if not base:
        return own
    merged: Json = merge(read_method(skeleton if skeleton.is_file() else beside / base / METHOD, beside), own)
    # what was done to another bundle, or measured with it, is not true of this one
    merged["metadata"] |= {name: own.get("metadata", {}).get(name, {}) for name in ("changelog", "eval_metrics")}
    return merged


def merge(base: Any, own: Any) -> Any:
    """Put one description over another.

    Dictionaries are merged key by key, unless they name another ``_target_``, since arguments belong to their target.
    Anything else is replaced.
    """
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    if "_target_" in own and own["_target_"] != base.get("_target_", own["_target_"]):
        return own
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in own.items()}}


def bundle_configs(method: Mapping[str, Any]) -> dict[str, Json]:
    """Make all configs of a bundle.

    Args:
        method: what :func:`read_method` gives.

    Returns:
        Content of each file in ``configs/`` by its name without ``.json``.
    """
    overlays: dict[str, Json] = {name: overlay for name, overlay in method["overlays"].items() if overlay is not None}
    for name, overlay in overlays.items():
        if "displayable_configs" in overlay:
            shown = {**overlay["displayable_configs"], **_shown_by(method)}
            overlays[name] = {**overlay, "displayable_configs": shown}
    bases = {base: _base(method, base, overlays) for base in _BASES}
    # what a skeleton gives a value in an overlay need not exist in a bundle that is like it
    unused = {name for group in method["values"].values() for name in group}.difference(*bases.values())
    overlays = {
        name: {key: value for key, value in overlay.items() if key not in unused} for name, overlay in overlays.items()
    }
    return {"metadata": method["metadata"], **bases, **overlays}


def write_configs(bundle: Path) -> list[Path]:
    """Write the configs of a bundle, and its ``method.json`` in its usual form.

    Args:
        bundle: folder with a ``method.json``.

    Returns:
        The files.

    Raises:
        InputError: if there is no method, or the folder holds a config that it does not describe.
    """
    method = bundle / METHOD
    contents = {
        bundle / "configs" / f"{name}.json": value for name, value in bundle_configs(read_method(method)).items()
    }
    foreign = sorted(path.name for path in set((bundle / "configs").glob("*.json")) - set(contents))
    if foreign:
        raise InputError(
            f"{', '.join(foreign)} not described in {METHOD}",
            where=bundle / "configs",
            expected=f"the configs that {METHOD} describes, and no others",
            remedy=f"Describe them in {METHOD}, under overlays; or delete what is no longer needed.",
        )
    for path, content in contents.items():
        with atomic_path(path) as partial:
            partial.write_text(to_text(content), "utf-8")
    tidy(method)
    return [*contents, method]


def tidy(path: Path) -> None:
    """Bring a JSON file that people keep into its usual form."""
    text = to_text(json.loads(path.read_text("utf-8")))
    with atomic_path(path) as partial:
        partial.write_text(text, "utf-8")


def to_text(content: Any) -> str:
    """Write JSON as people read it: what fits on a line stands on one."""
    return f"{_lines(content)}\n"


def _base(method: Mapping[str, Any], base: str, overlays: Mapping[str, Json]) -> Json:
    own = dict(method[f"{base}.json"])
    values = {name: own.pop(name, value) for group in method["values"].values() for name, value in group.items()}
    parts = merge(method["parts"], own)
    if base == "inference":
        shown = method["displayable_configs"]
        parts = {"displayable_configs": shown, **{name: _as_shown(part, shown) for name, part in parts.items()}}
    other = _ON_TRAIN if base == "inference" else _ON_INFERENCE
    roots = [parts["initialize"], parts["run"], *(o for name, o in overlays.items() if not name.startswith(other))]
    if base == "inference":
        roots.append(parts["displayable_configs"])
    everything = {**values, **parts}
    needed: dict[str, None] = {}
    for name in _references(roots):
        _collect(name, everything, needed)
    order = [name for name in [*values, "displayable_configs"] if name in needed or name == "displayable_configs"]
    placed: dict[str, None] = {name: None for name in order if name in everything}
    for name in parts:
        if name in needed and name not in _LAST:
            _collect(name, everything, placed)
    return {"imports": ["$import monai", "$import torch"], **{name: everything[name] for name in [*placed, *_LAST]}}


def _collect(name: str, everything: Mapping[str, Any], found: dict[str, None]) -> None:
    """Add a key after those that it refers to."""
    if name in found or name not in everything:
        return
    visiting = dict.fromkeys(found)
    _visit(name, everything, found, visiting)


def _visit(name: str, everything: Mapping[str, Any], found: dict[str, None], visiting: dict[str, None]) -> None:
    if name in visiting or name not in everything:
        return
    visiting[name] = None
    for other in _references(everything[name]):
        _visit(other, everything, found, visiting)
    found[name] = None


def _references(value: Any) -> Iterator[str]:
    for text in _texts(value):
        yield from _REFERENCE.findall(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _as_shown(value: Any, shown: Iterable[str]) -> Any:
    """Read what a client may set from where it sets it."""
    if isinstance(value, dict):
        return {key: _as_shown(item, shown) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_shown(item, shown) for item in value]
    if isinstance(value, str):
        return _REFERENCE.sub(
            lambda found: f"@displayable_configs#{found[1]}" if found[1] in shown else found[0], value
        )
    return value


def _shown_by(method: Mapping[str, Any]) -> Json:
    """What a method shows to clients beside what every method does."""
    common = read_method(SKELETONS / "bundle.json")["displayable_configs"]
    return {name: value for name, value in method["displayable_configs"].items() if name not in common}


def _lines(value: Any, depth: int = 0, used: int = 0) -> str:
    """Write a value on one line if it fits beside what is there, else a line for each entry; the file itself never."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (depth and 4 * depth + used + len(flat) < _LINE) or not value:
        return flat
    if isinstance(value, dict):
        keys = [f"{json.dumps(key, ensure_ascii=False)}: " for key in value]
        rows = [key + _lines(item, depth + 1, len(key)) for key, item in zip(keys, value.values(), strict=True)]
    else:
        rows = [_lines(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    indent = "    " * depth
    return opening + ",".join(f"\n{indent}    {row}" for row in rows) + f"\n{indent}{closing}"
