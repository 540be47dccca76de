# SPDX-License-Identifier: Apache-2.0
"""Identity of a calibration: SHA-256 of weights and of the list of images, settings as JSON holds them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import CalibrationError
from ..keys import Keys
from ..networks import read_weights, tensor_hash

Weights = str | Path | Mapping[str, torch.Tensor]


def refusal(where: object, what: str, expected: str, remedy: str) -> CalibrationError:
    """Build the error that says why there is no decision, in the words of ``InputError``."""
    return CalibrationError(f"{where}: {what}. Expected {expected}. {remedy}")


def as_json_holds_it(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings the form in which they come back from a file: tuples become lists."""
    same: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return same


def weights_hash(weights: Weights) -> str:
    """Hash the tensors of a state dict, however they were serialized.

    SHA-256 over name, type, shape and bytes of every tensor, sorted by name; order in the file, compression and device
    do not matter. The hash of a file is kept until the file changes.

    Args:
        weights: a state dict, or a file that holds one (bare, or under ``"model"``), or the network as TorchScript.

    Returns:
        64 hexadecimal digits.

    Raises:
        CalibrationError: if the file is missing or holds something other than tensors.
    """
    if isinstance(weights, Mapping):
        return _hash_tensors(weights, "the state dict")
    path = Path(weights)
    if not path.is_file():
        raise refusal(
            path,
            "no weights found",
            "the weights that the calibration was made with",
            "Train the bundle or point ckpt_path to its model.pt.",
        )
    status = path.stat()
    return _hash_file(str(path.resolve()), status.st_mtime_ns, status.st_size)


def data_hash(items: Iterable[Mapping[str, Any]]) -> str:
    """Hash which images a data list names, whatever their order and the folder they lie in.

    Args:
        items: entries of the data list, with ``image`` (a path or one per channel), ``case`` and ``subject_id``.

    Returns:
        64 hexadecimal digits.
    """
    rows = []
    for item in items:
        images = item.get(Keys.IMAGE, [])
        paths = images if isinstance(images, (list, tuple)) else [images]
        names = [Path(str(path)).name for path in paths]
        rows.append(json.dumps([str(item.get(Keys.CASE)), str(item.get(Keys.SUBJECT_ID)), names]))
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


@functools.lru_cache(maxsize=8)
def _hash_file(path: str, _mtime_ns: int, _size: int) -> str:
    try:
        content = read_weights(path)
    except Exception as error:
        raise refusal(
            path,
            f"cannot be read as weights ({type(error).__name__})",
            "a state dict of tensors, loadable with weights_only=True",
            "Write it again with torch.save(network.state_dict(), path).",
        ) from error
    if isinstance(content, Mapping):
        content = content.get("model", content)
    return _hash_tensors(content, path)


def _hash_tensors(state: Any, where: str) -> str:
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise refusal(
            where, "holds something other than tensors", "a state dict of tensors", "Save network.state_dict() alone."
        )
    return tensor_hash(state)
