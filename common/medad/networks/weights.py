# SPDX-License-Identifier: Apache-2.0
"""Weights of a network: read them from a file, hash them, load them; a state dict or an exported network."""

import functools
import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, uint8

from ..errors import InputError, calibration_error
from .atlas.normative_spread import spread_of, without_spread
from .unwrapping import unwrap_network


def read_weights(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Read the state dict that a file holds.

    Args:
        path: ``model.pt`` with a plain state dict, or ``model.ts`` with an exported network; both hold the same names
            and tensors.
        device: where to load the tensors.

    Returns:
        The content of the file; for TorchScript the state dict of the network.

    Raises:
        Exception: whatever torch raises at a file that is neither, or that holds more than tensors.
    """
    if is_torchscript(path):
        return torch.jit.load(path, map_location=device).state_dict()
    return read_tensors(path, device)


def read_tensors(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Read a file that torch saved, if it holds tensors, numbers, text and containers of them alone.

    Args:
        path: the file.
        device: where to load the tensors.

    Returns:
        Its content.

    Raises:
        InputError: if there is something else in it; torch's own message tells how to run it all the same.
        Exception: whatever else torch raises.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            "damaged, or more than tensors in it",
            where=path,
            expected="tensors alone: whatever else such a file holds could run code when it is loaded",
            remedy="Save network.state_dict() with torch.save where the file was made.",
        ) from None


def is_torchscript(path: str | Path) -> bool:
    """Say whether a file holds a network exported to TorchScript."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def tensor_hash(state: Mapping[str, Tensor]) -> str:
    """Hash name, type, shape and bytes of every tensor, sorted by name; order and device do not matter.

    Args:
        state: a state dict.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(uint8).numpy().tobytes())
    return digest.hexdigest()


def weights_hash(weights: str | Path | Mapping[str, Tensor]) -> str:
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
        raise calibration_error(
            path,
            "no weights found",
            "the weights that the calibration was made with",
            "Train the bundle or point ckpt_path to its model.pt.",
        )
    status = path.stat()
    return _hash_file(str(path.resolve()), status.st_mtime_ns, status.st_size)


def load_weights(
    network: nn.Module, path: str | Path, device: torch.device | str = "cpu", with_spread: bool = True
) -> None:
    """Load ``models/model.pt`` into a network, every tensor of it and nothing else.

    Args:
        network: the method's network.
        path: file with a plain state dict, or with the network as TorchScript.
        device: where to load the tensors.
        with_spread: whether a network with a normative spread must find the residuals of normal images in the file;
            if not, those that are there are left out.

    Raises:
        InputError: if the file is missing, is no tensor-only state dict or belongs to another network, or
            the normative spread is empty.
    """
    if not Path(path).is_file():
        raise InputError(
            "no weights there",
            where=Path(path).resolve(),
            expected="a trained model.pt",
            remedy="Train with train.json, or put a trained model.pt there with its calibration.json; or run in the "
            "bundle's folder, or give --bundle_root or --ckpt_path.",
        )
    try:
        state = read_weights(path, device)
        if not with_spread:
            state = without_spread(state)
        unwrap_network(network).load_state_dict(state, strict=True)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(line.strip() for line in str(error).strip().splitlines()[:2])
        raise InputError(
            f"weights do not fit ({reason})",
            where=path,
            expected=f"a tensor-only state dict of {type(network).__name__} as configured",
            remedy="Use the overlays and keys that the weights were trained with, all of them and no others.",
        ) from None
    spread = spread_of(network)
    if with_spread and spread is not None and not len(spread.bank):
        raise InputError(
            "no residuals of normal images in these weights",
            where=path,
            expected="what normative_spread.json divides by, which a training with it fills in at its end",
            remedy="Run train.json with calibrate_spread.json, normative_spread.json and the overlays of the training; "
            "or leave normative_spread.json out.",
        )


@functools.lru_cache(maxsize=8)
def _hash_file(path: str, _mtime_ns: int, _size: int) -> str:
    try:
        content = read_weights(path)
    except Exception as error:
        raise calibration_error(
            path,
            f"cannot be read as weights ({type(error).__name__})",
            "a state dict of tensors, loadable with weights_only=True",
            "Write it again with torch.save(network.state_dict(), path).",
        ) from error
    if isinstance(content, Mapping):
        content = content.get("model", content)
    return _hash_tensors(content, path)


def _hash_tensors(state: Any, where: str) -> str:
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise calibration_error(
            where, "holds something other than tensors", "a state dict of tensors", "Save network.state_dict() alone."
        )
    return tensor_hash(state)
