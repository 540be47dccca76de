# SPDX-License-Identifier: Apache-2.0
"""Score settings: everything that makes map and score besides the weights, read off the configured objects.

An object is described by its class and the arguments of its constructor, which it keeps as attributes of the same
names. Nothing is listed by hand, so that no argument can be forgotten.
"""

import enum
import functools
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from monai.transforms import Compose, LoadImaged
from torch import nn

from ..networks import tensor_hash, unwrap_network

CLASS = "class"
_CHANGE_NOTHING = ("args", "device", "kwargs", "network", "self", "slice_batch_size", "window_batch_size")
"""Arguments that change where and how a score is computed, and not the score; the network is described by itself."""
_OF_TRAINING = "train_"
"""How the names of arguments begin that matter to the training of a network alone."""
_IN_BOTH = ("network", "reading")
"""Settings that count where both sides have them."""
_OF_BASES = ("R", "allow_missing_keys", "keys")
"""Attributes that every random or dictionary transform of MONAI has."""


def score_settings(
    preprocessing: Compose, inferer: Inferer, map_postprocessing: Sequence[Any], network: nn.Module
) -> dict[str, Any]:
    """Describe how an image becomes a map and a score.

    Args:
        preprocessing: transforms from the file to the network's input. How the file is read counts where two settings
            both say it: a host such as MONAI Deploy reads the images itself, and takes these steps out.
        inferer: the method's inferer.
        map_postprocessing: transforms from the inferer's output to map and score.
        network: the network, on its own or wrapped for several devices. Its weights are no part of the settings; what
            they do not show is, such as the heads of an attention. A network exported as TorchScript has no settings:
            it cannot be configured.

    Returns:
        The settings, as JSON can hold them.

    Raises:
        TypeError: if an object does not keep what it was made with.
    """
    seen: dict[int, Any] = {}
    settings = {
        "preprocessing": _describe(preprocessing, seen),
        "inferer": _describe(inferer, seen),
        "map_postprocessing": _describe(map_postprocessing, seen),
    }
    reads = filter(_reads, preprocessing.flatten().transforms)
    if reading := [_describe(_plain_arguments(step), seen) for step in reads]:
        settings["reading"] = reading
    network = unwrap_network(network)
    if isinstance(network, torch.jit.ScriptModule):
        return settings
    return {**settings, "network": _structure(network)}


def changed_settings(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Compare the settings of a run with those of a calibration.

    Args:
        now: settings of the run.
        then: settings of the calibration.

    Returns:
        Name and both values of each difference, ``None`` where one has no such setting; for the same steps in another
        order, their classes. The network, and how files are read, count where both say it.
    """
    now, then = ({name: each[name] for name in each if name in other or name not in _IN_BOTH}
                 for each, other in ((now, then), (then, now)))  # fmt: skip
    first, second = (_by_name(each) for each in (now, then))
    names = sorted({*first, *second})
    changed = [(name, first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)]
    if changed:
        return changed
    orders = [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
    return [(f"{name} in the order", _classes(now[name]), _classes(then[name])) for name in orders]


def _classes(steps: Any) -> Any:
    return [step[CLASS] for step in steps] if isinstance(steps, list) else steps


def _by_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in _named(settings):
        # a class may stand in a pipeline several times
        values[name] = value if name not in values else [values[name], value]
    return values


def _named(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """List settings one by one, named as ``preprocessing FitToGridd spatial_size``."""
    if isinstance(settings, Mapping):
        name = f"{name} {settings[CLASS]}".strip() if CLASS in settings else name
        if list(settings) == [CLASS]:
            yield name, True
        for key, value in settings.items():
            if key != CLASS:
                yield from _named(value, f"{name} {key}".strip())
    elif isinstance(settings, list) and any(isinstance(value, Mapping) for value in settings):
        for value in settings:
            yield from _named(value, name)
    else:
        yield name, settings


def _describe(value: Any, seen: dict[int, Any]) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Path, torch.dtype, torch.Size, np.dtype)):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _digest(np.asarray(torch.as_tensor(value).cpu()).tobytes())
    if isinstance(value, Mapping):
        return {str(key): _describe(item, seen) for key, item in value.items()}
    if isinstance(value, Compose):
        return [_describe(step, seen) for step in value.transforms if not _reads(step)]
    if isinstance(value, (set, frozenset)):
        return sorted((_describe(item, seen) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_describe(item, seen) for item in value]
    if isinstance(value, functools.partial):
        return [_describe(part, seen) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, type) or inspect.isroutine(value):
        return value.__qualname__
    return _describe_object(value, seen)


def _describe_object(thing: Any, seen: dict[int, Any]) -> dict[str, Any]:
    if id(thing) in seen:
        return {CLASS: type(thing).__name__}
    seen[id(thing)] = thing  # kept, so that no other object gets its number
    kept, missing = _arguments(thing)
    if missing:  # it may keep them in parts that it made of them
        parts = {name: part for name, part in vars(thing).items() if not name.startswith("_") and name not in _OF_BASES}
        if not parts.keys() - kept.keys():
            raise TypeError(f"{type(thing).__name__} does not keep {', '.join(missing)}: store it under this name")
        kept |= parts
    described = {CLASS: type(thing).__name__, **{name: _describe(part, seen) for name, part in kept.items()}}
    if isinstance(thing, nn.Module) and thing.state_dict():
        described["weights"] = tensor_hash(thing.state_dict())
    return described


def _arguments(thing: Any) -> tuple[dict[str, Any], list[str]]:
    """Give the arguments that an object keeps, and the names of those that it does not."""
    names = [name for name in inspect.signature(type(thing)).parameters if name not in _CHANGE_NOTHING]
    kept = {name: getattr(thing, name) for name in names if hasattr(thing, name)}
    return kept, [name for name in names if name not in kept]


def _structure(network: nn.Module) -> str:
    """Hash the classes of a network's parts and the plain arguments that they keep."""
    rows = []
    for name, part in network.named_modules():
        plain = {key: value for key, value in _plain_arguments(part).items() if not key.startswith(_OF_TRAINING)}
        rows.append([name, plain.pop(CLASS), sorted((key, str(value)) for key, value in plain.items())])
    return _digest(json.dumps(rows).encode())


def _plain_arguments(thing: Any) -> dict[str, Any]:
    kept, _ = _arguments(thing)
    return {CLASS: type(thing).__name__, **{key: value for key, value in kept.items() if _is_plain(value)}}


def _reads(step: Any) -> bool:
    return isinstance(step, LoadImaged)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
